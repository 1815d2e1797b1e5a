"""What a transaction promises to the service that opens it, and to those that it calls inside."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import DatabaseBusyError, ReadOnlySessionError, TransactionLostError
from bedplate.services.database.models import UserRow
from bedplate.services.errors import UnavailableError
from bedplate.wiring.testing.cancellation import cancel_at_every_await

Row = Callable[[str], UserRow]


async def names(database: DatabaseService) -> list[str]:
    async with database.session() as session:
        return list((await session.exec(select(UserRow.username).order_by(UserRow.username))).all())


async def test_commits_at_the_end(either: DatabaseService, row: Row) -> None:
    """DB-2: what was only added is stored, and the row keeps its values after the end."""
    async with either.transaction() as session:
        stored = row("ada")
        session.add(stored)
    assert await names(either) == ["ada"]
    assert stored.username == "ada"


async def test_an_error_rolls_back(either: DatabaseService, row: Row) -> None:
    """DB-2: an error leaves the transaction unchanged, and nothing is stored."""
    with pytest.raises(LookupError, match="of the caller"):
        async with either.transaction() as session:
            session.add(row("ada"))
            await session.flush()
            raise LookupError("of the caller")
    assert await names(either) == []


class _Service:
    """Three of them call each other, as services do."""

    def __init__(self, database: DatabaseService, name: str, row: Row, below: "_Service | None" = None) -> None:
        self._database, self._name, self._row, self._below = database, name, row, below

    async def act(self, failing: str | None) -> None:
        async with self._database.transaction() as session:
            session.add(self._row(self._name))
            if self._below is not None:
                await self._below.act(failing)
            if self._name == failing:
                raise LookupError(self._name)


@pytest.mark.parametrize("failing", [None, "first", "second", "third"])
async def test_three_services_nest_into_one_transaction(either: DatabaseService, row: Row, failing: str | None) -> None:
    """DB-2: all or nothing across services that know nothing of each other's transaction."""
    third = _Service(either, "third", row)
    first = _Service(either, "first", row, _Service(either, "second", row, third))
    if failing is None:
        await first.act(None)
        assert await names(either) == ["first", "second", "third"]
    else:
        with pytest.raises(LookupError, match=failing):
            await first.act(failing)
        assert await names(either) == []


async def test_a_caught_error_undoes_the_inner_part_alone(either: DatabaseService, row: Row) -> None:
    """DB-2: a savepoint; rows of the outer part have their values again, with nothing loaded lazily."""
    async with either.transaction() as outer:
        ada = row("ada")
        outer.add(ada)
        await outer.flush()
        with pytest.raises(LookupError):
            async with either.transaction() as inner:
                inner.add(row("bob"))
                ada.username = "changed inside"
                await inner.flush()
                raise LookupError
        assert ada.username == "ada"
        outer.add(row("cyd"))
    assert await names(either) == ["ada", "cyd"]


async def test_a_violation_inside_a_savepoint_leaves_the_outer_part_usable(either: DatabaseService, row: Row) -> None:
    """DB-2: the usual way to try an insert that may clash."""
    async with either.transaction() as outer:
        outer.add(row("ada"))
        await outer.flush()
        with pytest.raises(IntegrityError):
            async with either.transaction() as inner:
                inner.add(row("ada"))
        outer.add(row("bob"))
    assert await names(either) == ["ada", "bob"]


async def test_a_caught_violation_without_savepoint_is_not_lost_silently(either: DatabaseService, row: Row) -> None:
    """DB-2: the first row cannot be stored any more, so the end of the block says so."""
    with pytest.raises(TransactionLostError, match="savepoint"):
        async with either.transaction() as session:
            session.add(row("ada"))
            await session.flush()
            session.add(row("ada"))
            with pytest.raises(IntegrityError):
                await session.flush()
    assert await names(either) == []


async def test_whoever_joins_cannot_end_the_transaction(either: DatabaseService, row: Row) -> None:
    """DB-2: a rollback by hand is reported, and what is written after it is not stored on its own."""
    with pytest.raises((ReadOnlySessionError, TransactionLostError)):
        async with either.transaction() as session:
            session.add(row("ada"))
            await session.flush()
            await session.rollback()
            session.add(row("bob"))
    async with either.transaction() as session:
        session.add(row("cyd"))
        await session.commit()
        assert await _seen_elsewhere(either) in ([], None)
    assert await names(either) == ["cyd"]


async def _seen_elsewhere(database: DatabaseService) -> list[str] | None:
    """What another task reads now; None where it would have to wait (in memory)."""
    task = asyncio.create_task(names(database))
    done, _ = await asyncio.wait({task}, timeout=0.05)
    if not done:
        task.cancel()
        await asyncio.wait({task})
        return None
    return task.result()


async def test_a_session_inside_reads_through_the_transaction(either: DatabaseService, row: Row) -> None:
    """DB-2: and sees what it has written."""
    async with either.transaction() as writing:
        writing.add(row("ada"))
        async with either.session() as reading:
            assert reading is writing
        assert await names(either) == ["ada"]


async def test_a_child_task_does_not_inherit_the_transaction(database: DatabaseService, row: Row) -> None:
    """DB-2: it reads the last commit, and writes after its parent, in a transaction of its own."""
    entered = asyncio.Event()

    async def child() -> None:
        assert await names(database) == []
        entered.set()
        async with database.transaction() as session:
            session.add(row("child"))

    with pytest.raises(LookupError):
        async with database.transaction() as session:
            session.add(row("parent"))
            await session.flush()
            task = asyncio.create_task(child())
            await entered.wait()
            raise LookupError
    await task
    assert await names(database) == ["child"]


async def test_a_read_sees_what_this_task_wrote_inside_it(either: DatabaseService, row: Row) -> None:
    """DB-2: a task that reads may write without waiting for itself, and reads its own change afterwards."""
    async with either.transaction() as session:
        session.add(row("ada"))
    async with either.session() as outer:
        before = (await outer.exec(select(UserRow))).one()
        async with either.transaction() as writing:
            (await writing.exec(select(UserRow))).one().username = "bob"
        async with either.session() as again:
            assert (await again.exec(select(UserRow))).one().username == "bob"
        assert before.username == "ada"


async def test_tasks_that_read_and_then_write_do_not_block_each_other(make_database, row: Row) -> None:
    """DB-2: with a single connection for reading, twenty tasks that read and write inside all get through."""
    database = make_database(pool_size=1, pool_timeout=20)
    await database.start()

    async def read_then_write(name: str) -> None:
        async with database.session() as session, database.session() as nested:
            await session.exec(select(UserRow))
            await nested.exec(select(UserRow))
            async with database.transaction() as writing:
                writing.add(row(name))

    await asyncio.gather(*(read_then_write(f"user-{number}") for number in range(20)))
    assert len(await names(database)) == 20


@pytest.mark.parametrize("url", [None, "sqlite+aiosqlite://"])
async def test_no_other_task_sees_or_spoils_an_open_transaction(make_database, row: Row, url: str | None) -> None:
    """DB-1: reads and writes of other tasks do not interleave with it, in memory either."""
    database = make_database(url=url, pool_timeout=20) if url else make_database(pool_timeout=20)
    await database.start()
    seen: list[int] = []

    async def write_two(number: int) -> None:
        async with database.transaction() as session:
            session.add(row(f"{number}-first"))
            await session.flush()
            await asyncio.sleep(0)
            session.add(row(f"{number}-second"))
            if number % 3 == 0:
                await session.flush()
                raise LookupError

    async def read() -> None:
        async with database.session() as session:
            seen.append((await session.exec(select(sa.func.count()).select_from(UserRow))).one())

    jobs = [job for number in range(12) for job in (write_two(number), read())]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [LookupError] * 4
    assert all(count % 2 == 0 for count in seen)
    assert len(await names(database)) == 16


async def test_a_session_refuses_writes(either: DatabaseService, row: Row) -> None:
    """DB-2: sessions read; the error says what to use."""
    with pytest.raises(ReadOnlySessionError, match=r"database\.transaction\(\)"):
        async with either.session() as session:
            session.add(row("ada"))
            await session.flush()
    assert await names(either) == []


async def test_services_of_one_process_keep_their_transactions_apart(database: DatabaseService, make_database) -> None:
    """DB-3: a transaction of one database is not joined by a call to another."""
    other = make_database()
    await other.start()
    async with database.transaction() as first, other.transaction() as second:
        assert first is not second


async def test_waiting_for_the_turn_to_write_ends(make_database, row: Row) -> None:
    """DB-2: with a typed error that names the setting, and nothing lost for those that had their turn."""
    database = make_database(pool_timeout=0.05)
    await database.start()

    async def write() -> None:
        async with database.transaction():
            pass

    async with database.transaction() as session:
        with pytest.raises(DatabaseBusyError, match="BEDPLATE_DATABASE__POOL_TIMEOUT"):
            await asyncio.create_task(write())
        session.add(row("ada"))
    assert await names(database) == ["ada"]


async def test_not_started(make_database) -> None:
    """ALL-1: before start and after stop, both say so."""
    database = make_database()
    for _ in range(2):
        with pytest.raises(UnavailableError, match="not started"):
            async with database.transaction():
                pass
        with pytest.raises(UnavailableError, match="not started"):
            async with database.session():
                pass
        await database.start()
        await database.stop()


async def test_every_row_keeps_its_secrets_to_itself(row: Row) -> None:
    """ALL-3: neither repr nor str of a row shows a column beside the key."""
    user = row("ada")
    assert repr(user) == f"UserRow(id={user.id!r})"
    assert "argon2id" not in f"{user} {user!r} {[user]}"


async def test_errors_do_not_show_parameters(database: DatabaseService, row: Row) -> None:
    """ALL-3: the text of a database error carries no value of a row."""
    with pytest.raises(IntegrityError) as caught:
        async with database.transaction() as session:
            session.add_all([row("ada"), row("ada")])
    assert "argon2id" not in str(caught.value)


async def test_calls_come_after_the_commit(either: DatabaseService, row: Row) -> None:
    """DB-2: in their order, and at once where no transaction is open."""
    calls: list[str] = []
    either.after_commit(lambda: calls.append("at once"))
    assert calls == ["at once"]
    assert not either.in_transaction
    async with either.transaction() as session:
        assert either.in_transaction
        session.add(row("ada"))
        either.after_commit(lambda: calls.append("outer"))
        async with either.transaction():
            either.after_commit(lambda: calls.append("inner"))
        assert calls == ["at once"]
    assert calls == ["at once", "outer", "inner"]


async def test_calls_of_what_is_rolled_back_never_come(either: DatabaseService, row: Row) -> None:
    """DB-2: of the whole transaction, or of a savepoint in it."""
    calls: list[str] = []

    async def fail(name: str) -> None:
        async with either.transaction():
            either.after_commit(lambda: calls.append(name))
            raise LookupError

    with pytest.raises(LookupError):
        await fail("whole")
    async with either.transaction() as session:
        session.add(row("ada"))
        either.after_commit(lambda: calls.append("kept"))
        with pytest.raises(LookupError):
            await fail("savepoint")
    assert calls == ["kept"]


async def test_calls_belong_to_the_task_that_has_the_transaction(either: DatabaseService) -> None:
    """DB-2: a child task has none open."""
    calls: list[str] = []

    async def child() -> None:
        assert not either.in_transaction
        either.after_commit(lambda: calls.append("child"))

    async with either.transaction():
        await asyncio.create_task(child())
        assert calls == ["child"]


async def test_one_statement_is_a_transaction_of_its_own(either: DatabaseService, row: Row) -> None:
    """DB-2: committed when it returns, how many rows it concerned, and joined to an open transaction."""
    table = sa.inspect(UserRow).local_table
    made = [row(name).model_dump() for name in ("ada", "bob", "cid")]
    assert await either.execute(sa.insert(table), made[0]) == 1
    assert await names(either) == ["ada"]
    assert await either.execute(sa.update(table).values(is_active=True)) == 1
    with pytest.raises(IntegrityError):
        await either.execute(sa.insert(table), made[0])
    async with either.transaction() as session:
        await either.execute(sa.insert(table), made[1])
        assert (await session.exec(select(UserRow.username).where(UserRow.username == "bob"))).one() == "bob"
        with pytest.raises(IntegrityError):
            await either.execute(sa.insert(table), made[1])
        await either.execute(sa.insert(table), made[2])
    assert await names(either) == ["ada", "bob", "cid"]


async def test_one_statement_is_undone_with_the_transaction_that_it_joined(either: DatabaseService, row: Row) -> None:
    """DB-2"""
    table = sa.inspect(UserRow).local_table
    with pytest.raises(LookupError):
        async with either.transaction():
            await either.execute(sa.insert(table), row("ada").model_dump())
            raise LookupError
    assert await names(either) == []


async def test_one_statement_that_is_cancelled_happens_wholly_or_not_at_all(either: DatabaseService, row: Row) -> None:
    """DB-2: and gives the connection back."""
    table = sa.inspect(UserRow).local_table
    number = 0

    def insert() -> Any:
        nonlocal number
        number += 1
        return either.execute(sa.insert(table), row(f"user {number}").model_dump())

    async def after(cancelled: bool) -> None:
        stored = f"user {number}" in await names(either)
        assert stored or cancelled

    assert await cancel_at_every_await(insert, after) >= 1
