"""The driver's connection under SQLAlchemy: few trips to its thread, whole results, a clean end."""

import asyncio
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlmodel import select

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow
from bedplate.services.database.sqlite import connection as driver

Row = Callable[[str], UserRow]

COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT i FROM n"


@pytest.mark.parametrize("rows", [0, 1, 255, 256, 257, 1000])
async def test_every_row_is_fetched_once_and_in_order(either: DatabaseService, rows: int) -> None:
    """DB-1: whether they fit into the first trip or not; at once, in parts, and as a stream."""
    statement = sa.text(COUNT.format(rows) + f" LIMIT {rows}")
    async with either.session() as session:
        connection = await session.connection()
        expected = list(range(1, rows + 1))
        assert (await connection.execute(statement)).scalars().all() == expected
        parts = (await connection.execute(statement)).scalars().partitions(100)
        assert [value for part in parts for value in part] == expected
        assert (await connection.execute(statement)).scalars().first() == (1 if rows else None)
        async with connection.stream(statement) as stream:
            assert [value async for value in stream.scalars()] == expected
        async with connection.stream(statement) as stream:
            async for value in stream.scalars():
                assert value == 1
                break
        assert (await connection.execute(sa.text("SELECT 2"))).scalar_one() == 2


async def test_a_transaction_takes_three_trips_and_a_read_one(
    database: DatabaseService, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DB-1: begin, insert, commit; the stock driver takes six and five."""
    async with database.transaction() as session:
        session.add(row("warm-up"))
    async with database.session() as session:
        await session.exec(select(UserRow))
    trips: list[str] = []
    execute = driver.SQLiteConnection._execute

    async def counted(connection, function, *args, **kwargs):
        trips.append(getattr(function, "__name__", repr(function)))
        return await execute(connection, function, *args, **kwargs)

    monkeypatch.setattr(driver.SQLiteConnection, "_execute", counted)
    async with database.transaction() as session:
        session.add(row("ada"))
    assert len(trips) == 3
    trips.clear()
    async with database.session() as session:
        assert len((await session.exec(select(UserRow))).all()) == 2
    assert len(trips) == 1


async def test_a_connection_whose_statement_cannot_be_ended_is_replaced(
    database: DatabaseService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DB-2: the task goes on after a bounded time, and so does the pool; the thread ends with its statement."""
    monkeypatch.setattr(driver, "_ABANDON_AFTER", 0.05)
    release = threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), database.session() as session:
            raw = await (await session.connection()).get_raw_connection()
            stuck = raw.driver_connection
            await (await session.connection()).run_sync(
                lambda _: sa.util.await_only(stuck.run(release.wait))  # a statement deaf to interruption
            )
    assert stuck.abandoned
    readers = database._backend._pools.readers
    assert readers.turnstile.free == readers.turnstile.places
    assert all(connection.driver is not stuck for connection in readers._idle)
    assert (await database.health()).status == "up"
    release.set()
    await stuck._stopped


async def test_stop_leaves_no_thread(make_database) -> None:
    """ALL-1: twenty times on one service, without a warning."""
    before = threading.active_count()
    database = make_database()
    for _ in range(20):
        await database.start()
        async with database.session() as first, database.transaction():
            await first.exec(select(UserRow))
        assert threading.active_count() > before
        await database.stop()
        assert threading.active_count() == before
