"""SES-4: the runs of one session go on at once, one after the other, or not at all while one does."""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import select

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import FlowSessionRow, new_id, utc_now
from bedplate.services.session import (
    FlowSession,
    RunPolicy,
    SessionBusyError,
    SessionNotFoundError,
    SessionService,
    TurnLostError,
)
from bedplate.services.session.turns import Turns
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cancellation import cancel_at_every_await

Replica = Callable[..., Turns]


@pytest.fixture
def replica(tmp_path: Path, database: DatabaseService, telemetry: TelemetryService) -> Replica:
    """Makes what another process has: turns of the same sessions, with settings of its own."""

    def make(run_policy: str = "serial", **values: Any) -> Turns:
        settings = SettingsService(profile="test", data_dir=tmp_path, session={"run_policy": run_policy, **values})
        return Turns(database, settings.values.session, telemetry)

    return make


@pytest.fixture
async def one(session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID) -> FlowSession:
    return await session.open(alice, flow_id, "one")


@pytest.fixture
async def two(session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID) -> FlowSession:
    return await session.open(alice, flow_id, "two")


class Run:
    """A run that begins when it is its turn and ends when it is told to."""

    def __init__(self, turns: Turns, session: FlowSession) -> None:
        self.begun, self._end = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(self._run(turns, session))

    async def _run(self, turns: Turns, session: FlowSession) -> None:
        async with turns.turn(session):
            self.begun.set()
            await self._end.wait()

    async def end(self) -> None:
        self._end.set()
        await self.task


async def _row(database: DatabaseService, session: FlowSession) -> FlowSessionRow:
    async with database.session() as transaction:
        return (await transaction.exec(select(FlowSessionRow).where(FlowSessionRow.id == session.id))).one()


async def _update(database: DatabaseService, session: FlowSession, **values: object) -> None:
    async with database.transaction() as transaction:
        await transaction.exec(sa.update(FlowSessionRow).where(FlowSessionRow.id == session.id).values(**values))


class TestTurns:
    """Over SQLite."""

    async def test_runs_go_on_at_once_by_default(
        self, session: SessionService, one: FlowSession, database: DatabaseService
    ) -> None:
        """SES-4: and write nothing for it."""
        assert session.turns.policy is RunPolicy.PARALLEL
        async with session.turns.turn(one), session.turns.turn(one):
            await session.turns.require_free(one)
            assert (await _row(database, one)).run_until is None

    async def test_runs_of_a_session_follow_each_other_in_order(
        self, replica: Replica, one: FlowSession, two: FlowSession
    ) -> None:
        """SES-4: those of another session do not wait."""
        turns = replica()
        runs = [Run(turns, one) for _ in range(4)]
        other = Run(turns, two)
        await other.begun.wait()
        for place, run in enumerate(runs):
            await run.begun.wait()
            assert [later.begun.is_set() for later in runs[place + 1 :]] == [False] * (3 - place)
            await run.end()
        await other.end()
        assert not turns._lines

    async def test_a_cancelled_waiter_harms_nobody(self, replica: Replica, one: FlowSession) -> None:
        """SES-4: those before and behind it keep their places."""
        turns = replica()
        first, second, third = (Run(turns, one) for _ in range(3))
        await first.begun.wait()
        second.task.cancel()
        await asyncio.wait({second.task})
        assert not third.begun.is_set()
        await first.end()
        await third.begun.wait()
        await third.end()
        assert not second.begun.is_set()
        assert not turns._lines

    async def test_a_waiter_on_another_process_that_is_cancelled(self, replica: Replica, one: FlowSession) -> None:
        """SES-4: harms nobody either."""
        first, waiting = Run(replica(), one), None
        await first.begun.wait()
        waiting = Run(replica(), one)
        await asyncio.sleep(0)
        waiting.task.cancel()
        await asyncio.wait({waiting.task})
        await first.end()
        async with replica("reject").turn(one):
            pass

    async def test_those_who_wait_are_bounded(self, replica: Replica, one: FlowSession) -> None:
        """SES-4, ALL-6: the next one is refused, also before its job is made."""
        turns = replica(max_waiting_runs=1)
        first = Run(turns, one)
        await first.begun.wait()
        await turns.require_free(one)
        second = Run(turns, one)
        await asyncio.sleep(0)
        with pytest.raises(SessionBusyError, match="1 runs"):
            await turns.require_free(one)
        with pytest.raises(SessionBusyError):
            async with turns.turn(one):
                pass
        await first.end()
        await second.end()
        await turns.require_free(one)

    async def test_a_second_run_is_refused(self, replica: Replica, one: FlowSession, two: FlowSession) -> None:
        """SES-4: under ``reject``, by this process and by any other."""
        turns = replica("reject")
        for other in (turns, replica("reject")):
            async with turns.turn(one):
                with pytest.raises(SessionBusyError):
                    await other.require_free(one)
                with pytest.raises(SessionBusyError):
                    async with other.turn(one):
                        pass
                async with other.turn(two):
                    pass
            await other.require_free(one)
            async with other.turn(one):
                pass

    async def test_processes_take_turns(self, replica: Replica, one: FlowSession) -> None:
        """SES-4: by the row of the session, whoever shares the database."""
        running, most = 0, 0

        async def run(turns: Turns) -> None:
            nonlocal running, most
            async with turns.turn(one):
                running += 1
                most = max(most, running)
                await asyncio.sleep(0)
                running -= 1

        replicas = [replica() for _ in range(3)]
        await asyncio.gather(*(run(turns) for turns in replicas * 3))
        assert (running, most) == (0, 1)

    async def test_a_run_that_fails_frees_its_session(
        self, replica: Replica, one: FlowSession, database: DatabaseService
    ) -> None:
        """SES-4: at once."""
        turns = replica()
        with pytest.raises(ZeroDivisionError):
            async with turns.turn(one):
                raise ZeroDivisionError
        assert (await _row(database, one)).run_holder is None
        await replica("reject").require_free(one)

    async def test_the_turn_of_a_process_that_died_ends_with_its_lease(
        self, replica: Replica, one: FlowSession, database: DatabaseService
    ) -> None:
        """SES-4: not before."""
        await _update(database, one, run_holder=new_id(), run_until=utc_now() + timedelta(seconds=60))
        with pytest.raises(SessionBusyError):
            await replica("reject").require_free(one)
        waiting = Run(replica(), one)
        await asyncio.sleep(0)
        await _update(database, one, run_until=utc_now() - timedelta(seconds=1))
        await waiting.begun.wait()
        await waiting.end()

    async def test_a_turn_is_renewed(self, replica: Replica, one: FlowSession, database: DatabaseService) -> None:
        """SES-4: for as long as the run goes on."""
        async with replica(run_lease=1).turn(one):
            until = first = (await _row(database, one)).run_until
            while until == first:
                await asyncio.sleep(0.01)
                until = (await _row(database, one)).run_until
            assert until > first

    async def test_a_run_that_lost_its_turn_is_cancelled(
        self, replica: Replica, one: FlowSession, database: DatabaseService
    ) -> None:
        """SES-4: two never go on for long, and what another has taken is left to it."""
        thief, cancelled = new_id(), False
        with pytest.raises(TurnLostError):
            async with replica(run_lease=1).turn(one):
                await _update(database, one, run_holder=thief)
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancelled = True
                    raise
        assert cancelled
        assert (await _row(database, one)).run_holder == thief

    async def test_a_session_that_was_deleted_has_no_turns(
        self, replica: Replica, session: SessionService, one: FlowSession, alice: uuid.UUID
    ) -> None:
        """SES-4: a typed error, not an endless wait."""
        await session.delete(alice, "one")
        with pytest.raises(SessionNotFoundError):
            async with replica().turn(one):
                pass

    async def test_cancelled_at_every_await(
        self, replica: Replica, one: FlowSession, database: DatabaseService
    ) -> None:
        """SES-4, ALL-1: nothing is left behind wherever it strikes."""
        turns = replica()

        async def work() -> None:
            async with turns.turn(one):
                await asyncio.sleep(0)

        async def check(_cancelled: bool) -> None:
            assert (await _row(database, one)).run_holder is None
            assert not turns._lines

        await cancel_at_every_await(work, check)

    async def test_who_leaves_together_leaves_nothing(self, replica: Replica, one: FlowSession) -> None:
        """SES-4: also when many are cancelled at once."""
        turns = replica(max_waiting_runs=50)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(turns.turn(one))
            runs = [Run(turns, one) for _ in range(20)]
            await asyncio.sleep(0)
            for run in runs:
                run.task.cancel()
            await asyncio.wait({run.task for run in runs})
        assert not turns._lines
        async with turns.turn(one):
            pass


@pytest.mark.postgres
class TestTurnsOnPostgres(TestTurns):
    """The same over PostgreSQL."""
