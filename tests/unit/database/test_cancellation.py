"""Cancellation at every await: the connection comes back, and nothing is stored by halves."""

import asyncio
from collections.abc import Callable

import pytest
from sqlmodel import select

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow
from bedplate.services.database.postgres import PostgresBackend
from bedplate.wiring.testing.cancellation import ends_cancelled

Row = Callable[[str], UserRow]


async def count(database: DatabaseService) -> int:
    async with database.session() as session:
        return len((await session.exec(select(UserRow.id))).all())


def assert_whole(database: DatabaseService) -> None:
    assert not database._writing
    assert not database._reading
    backend = database._backend
    if isinstance(backend, PostgresBackend):
        assert backend._pools is not None
        engine, *turnstiles = backend._pools
        assert engine.pool.checkedout() == 0
        assert all(one.free == one.places and one.waiting == 0 for one in turnstiles)
        return
    for pool in backend._pools:
        assert pool.turnstile.free == pool.turnstile.places
        assert pool.turnstile.waiting == 0
        assert not any(connection.driver.in_transaction for connection in pool._idle)
        assert len(pool._idle) <= pool.turnstile.places


async def write_two(database: DatabaseService, row: Row, name: str) -> None:
    async with database.transaction() as session:
        session.add(row(f"{name}-first"))
        await session.flush()
        async with database.transaction() as inner:
            inner.add(row(f"{name}-second"))


async def read_all(database: DatabaseService) -> None:
    async with database.session() as session:
        await session.exec(select(UserRow))
        async with database.session() as nested:
            await nested.exec(select(UserRow))


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
async def test_a_transaction_cancelled_at_every_await(either: DatabaseService, row: Row, again: bool) -> None:
    """DB-2: either both rows are stored or none, and the next transaction works, wherever the cancellation hits."""
    step, stored = 0, 0
    while True:
        step += 1
        steps = {step, step + 1} if again else {step}
        cancelled = await ends_cancelled(steps, write_two(either, row, str(step)))
        assert_whole(either)
        now = await count(either)
        assert now - stored in (0, 2)
        stored = now
        if not cancelled:
            break
        assert stored % 2 == 0
    assert step > 5
    assert stored >= 2


async def test_a_session_cancelled_at_every_await(either: DatabaseService, row: Row) -> None:
    """DB-2: the connection for reading is back after each."""
    await write_two(either, row, "x")
    step = 0
    while True:
        step += 1
        cancelled = await ends_cancelled({step}, read_all(either))
        assert_whole(either)
        assert await count(either) == 2
        if not cancelled:
            break
    assert step > 2


async def test_start_cancelled_at_every_await(make_database) -> None:
    """ALL-1: what start had opened is closed again, and the next start works."""
    step = 0
    while True:
        step += 1
        database = make_database()
        cancelled = await ends_cancelled({step}, database.start())
        if not cancelled:
            break
        assert not database.started
        await database.start()
        assert await count(database) == 0
        await database.stop()
    assert step > 5


async def test_waiting_for_a_turn_is_cancelled_at_once(database: DatabaseService, row: Row) -> None:
    """DB-2: those that wait behind are not held up by one that gave up."""
    entered = asyncio.Event()
    leave = asyncio.Event()

    async def hold() -> None:
        async with database.transaction():
            entered.set()
            await leave.wait()

    holder = asyncio.create_task(hold())
    await entered.wait()
    waiting = [asyncio.create_task(write_two(database, row, str(number))) for number in range(6)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    await asyncio.wait(waiting[::2])
    assert all(task.cancelled() for task in waiting[::2])
    leave.set()
    await asyncio.gather(holder, *waiting[1::2])
    assert_whole(database)
    assert await count(database) == 6


async def test_a_timeout_inside_a_savepoint_leaves_the_outer_part_usable(either: DatabaseService, row: Row) -> None:
    """DB-2: a cancellation that the caller turns into an error undoes the inner part alone."""
    async with either.transaction() as outer:
        outer.add(row("outer"))
        await outer.flush()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), either.transaction() as inner:
                inner.add(row("inner"))
                await inner.flush()
                await asyncio.Event().wait()
    assert_whole(either)
    assert await count(either) == 1


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


async def test_a_long_statement_ends_when_its_task_is_cancelled(either: DatabaseService) -> None:
    """DB-2: an endless read is interrupted; its connection goes on with the next."""
    async with either.session() as session:
        connection = await session.connection()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.exec_driver_sql(ENDLESS)
    assert_whole(either)
    assert await count(either) == 0


async def test_stop_in_the_middle_of_a_transaction(database: DatabaseService, row: Row) -> None:
    """ALL-1: what runs may end, its connection is closed after it, and nothing new begins."""
    entered = asyncio.Event()
    leave = asyncio.Event()

    async def write() -> None:
        async with database.transaction() as session:
            session.add(row("ada"))
            entered.set()
            await leave.wait()

    task = asyncio.create_task(write())
    await entered.wait()
    await database.stop()
    leave.set()
    await task
    assert not any(pool._idle for pool in database._backend._pools)
    await database.start()
    assert await count(database) == 1
