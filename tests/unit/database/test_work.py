"""What statements without a session are promised: the same as a transaction and a session are."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from tests.unit.database.test_cancellation import ENDLESS, assert_whole

from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import (
    DatabaseBusyError,
    DatabaseFullError,
    DatabaseLockedError,
    ReadOnlySessionError,
    TransactionLostError,
)
from bedplate.services.database.models import UserRow
from bedplate.services.errors import UnavailableError
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cancellation import cancel_at_every_await

Row = Callable[[str], UserRow]
Work = Callable[[sa.Connection], None]

_USERS = UserRow.__table__


def _names(connection: sa.Connection) -> list[str]:
    return list(connection.scalars(sa.select(_USERS.c.username).order_by(_USERS.c.username)))


@pytest.fixture
def adding(row: Row) -> Callable[..., Work]:
    def adding(*names: str) -> Work:
        made = [row(name).model_dump() for name in names]

        def work(connection: sa.Connection) -> None:
            for one in made:
                connection.execute(sa.insert(_USERS), one)

        return work

    return adding


async def test_all_of_it_or_nothing(either: DatabaseService, adding: Callable[..., Work]) -> None:
    """DB-2: committed when it returns, rolled back when a statement or the work itself fails."""
    await either.write(adding("ada", "bob"))

    def fails(connection: sa.Connection) -> None:
        adding("cid")(connection)
        assert _names(connection) == ["ada", "bob", "cid"]
        raise LookupError

    with pytest.raises(LookupError):
        await either.write(fails)
    with pytest.raises(IntegrityError):
        await either.write(adding("dan", "ada"))
    assert await either.read(_names) == ["ada", "bob"]
    assert await either.write(_names) == ["ada", "bob"]
    assert_whole(either)


async def test_it_joins_what_its_task_has_open(either: DatabaseService, adding: Callable[..., Work]) -> None:
    """DB-2: a savepoint of the transaction, whose rows it sees; reading inside a session takes no second connection."""
    with pytest.raises(LookupError):
        async with either.transaction() as session:
            session.add(UserRow(username="ada", username_key="ada", password_hash="-"))
            await session.flush()
            await either.write(adding("bob"))
            with pytest.raises(IntegrityError):
                await either.write(adding("cid", "ada"))
            assert await either.read(_names) == ["ada", "bob"]
            raise LookupError
    async with either.session():
        assert await either.read(_names) == []
    assert_whole(either)


async def test_reading_cannot_write(either: DatabaseService, adding: Callable[..., Work]) -> None:
    """DB-2"""
    with pytest.raises(ReadOnlySessionError):
        await either.read(adding("ada"))
    assert await either.read(_names) == []


async def test_it_waits_for_its_turn(make_database, adding: Callable[..., Work]) -> None:
    """DB-2: which comes within ``pool_timeout`` or not at all."""
    database = make_database(pool_timeout=0.05)
    with pytest.raises(UnavailableError, match="not started"):
        await database.write(_names)
    with pytest.raises(UnavailableError, match="not started"):
        await database.read(_names)
    await database.start()
    async with database.transaction():
        with pytest.raises(DatabaseBusyError):
            await asyncio.create_task(database.write(adding("ada")))
        assert await asyncio.create_task(database.read(_names)) == []
    await database.write(adding("ada"))
    assert_whole(database)


async def test_another_process_has_the_lock(make_database, adding: Callable[..., Work]) -> None:
    """DB-1: a clear error after ``busy_timeout``, and none once the lock is free again."""
    database, other = make_database(busy_timeout=0.05), make_database()
    await database.start()
    await other.start()
    async with other.transaction():
        with pytest.raises(DatabaseLockedError):
            await asyncio.create_task(database.write(adding("ada")))
    await database.write(adding("ada"))
    assert await other.read(_names) == ["ada"]


@pytest.mark.parametrize("caught", [False, True], ids=["raised", "caught"])
async def test_a_full_disk(embedded: DatabaseService, adding: Callable[..., Work], caught: bool) -> None:
    """DB-2: SQLite ends the transaction at once; what would come after it is not stored on its own."""
    await embedded.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1").scalar())

    def work(connection: sa.Connection) -> None:
        adding("ada")(connection)
        try:
            adding(*(f"{number}" + "x" * 100_000 for number in range(20)))(connection)
        except sa.exc.OperationalError:
            if not caught:
                raise
        adding("bob")(connection)

    with pytest.raises((DatabaseFullError, TransactionLostError)):
        await embedded.write(work)
    await embedded.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1000000").scalar())
    await embedded.write(adding("cid"))
    assert await embedded.read(_names) == ["cid"]


async def test_cancelled_at_every_await(either: DatabaseService, adding: Callable[..., Work]) -> None:
    """DB-2: it happens wholly or not at all, and the connection is given back."""
    number = 0
    stored: list[str] = []

    async def after(cancelled: bool) -> None:
        nonlocal stored
        assert_whole(either)
        now = await either.read(_names)
        assert len(now) - len(stored) in ((0, 2) if cancelled else (2,))
        stored = now

    async def write() -> None:
        nonlocal number
        number += 2
        await either.write(adding(f"{number}", f"{number + 1}"))

    async def read() -> None:
        assert await either.read(_names) == stored

    async def looked(_: bool) -> None:
        assert_whole(either)

    assert await cancel_at_every_await(write, after) >= 1
    assert await cancel_at_every_await(read, looked) >= 1


async def test_a_long_statement_ends_when_its_task_is_cancelled(either: DatabaseService) -> None:
    """DB-2: in both; the connections go on with the next."""
    for run in (either.read, either.write):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await run(lambda connection: connection.exec_driver_sql(ENDLESS).scalar())
        assert_whole(either)
    assert await either.read(_names) == []


async def test_connections_that_are_held_are_counted(database: DatabaseService, telemetry: TelemetryService) -> None:
    """DB-1: for reading and for writing, however they came to be held."""

    def held() -> tuple[float, ...]:
        names = ("bedplate_database_readers", "bedplate_database_writers")
        return tuple(sum(one.value for metric in telemetry.metrics(name) for one in metric.samples) for name in names)

    seen = []
    async with database.session():
        seen.append(held())
    async with database.transaction():
        seen.append(held())
    seen.append(await database.read(lambda _connection: held()))
    seen.append(await database.write(lambda _connection: held()))
    assert seen == [(1, 0), (0, 1), (1, 0), (0, 1)]
    assert held() == (0, 0)


async def test_the_first_work_of_a_connection_is_cancelled(make_database, adding: Callable[..., Work]) -> None:
    """DB-2: while SQLAlchemy gets to know it, which closes a connection that it is interrupted with."""
    database = make_database()
    await database.start()
    entered = threading.Event()

    def look(driver: sqlite3.Connection, _: object) -> None:
        entered.set()
        driver.execute(ENDLESS.replace("FROM n)", "FROM n LIMIT 2000000)")).fetchall()

    sa.event.listen(database._backend._core, "connect", look)
    for work in (lambda: database.read(_names), lambda: database.write(adding("ada"))):
        task = asyncio.create_task(work())
        await asyncio.to_thread(entered.wait)
        entered.clear()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert_whole(database)
    await database.write(adding("bob"))
    assert await database.read(_names) == ["bob"]
