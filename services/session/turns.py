"""Turns: whether the runs of one session go on at once, one after the other, or not at all while one does."""

import asyncio
import random
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import new_id, utc_now
from bedplate.services.database.repositories.session_turn import SessionTurnRepository
from bedplate.services.errors import UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.session.errors import SessionBusyError, SessionNotFoundError, TurnLostError
from bedplate.services.session.models import FlowSession, RunPolicy
from bedplate.services.settings.groups.session import SessionSettings
from bedplate.services.telemetry import TelemetryService
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["Turns"]

_SHORTEST_WAIT: Final = 0.02
_LONGEST_WAIT: Final = 1.0
_log = get_logger("bedplate.session")


class _Line:
    """Those of this process who are about to run, or run, in a session: the lock lets them through in their order."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.length = 0


class Turns:
    """Gives the runs of a session their turns, by a lease in its row, so that it holds for all processes.

    Args:
        database: Where sessions are kept.
        settings: The policy and its limits.
        telemetry: Counts who waits and who is refused.
    """

    def __init__(self, database: DatabaseService, settings: SessionSettings, telemetry: TelemetryService) -> None:
        self.policy = RunPolicy(settings.run_policy)
        self._database = database
        self._lease = timedelta(seconds=settings.run_lease)
        self._max_waiting = settings.max_waiting_runs
        self._lines: dict[uuid.UUID, _Line] = {}
        self._refused = telemetry.meter.counter(
            "bedplate_session_runs_refused_total", "Runs refused because their session was busy."
        )

    async def require_free(self, session: FlowSession) -> None:
        """Refuse early what :meth:`turn` would refuse now.

        Raises:
            SessionBusyError: Under ``reject``, another run goes on; under ``serial``, too many wait.
        """
        if self.policy is RunPolicy.PARALLEL:
            return
        line = self._lines.get(session.id)
        if line is not None:
            self._require_room(line)
        if self.policy is RunPolicy.REJECT:
            async with self._database.session() as transaction:
                if await SessionTurnRepository(transaction, session.user_id).is_taken(session.id, utc_now()):
                    raise self._busy("another run of the session goes on")

    @asynccontextmanager
    async def turn(self, session: FlowSession) -> AsyncGenerator[None, None]:
        """Do what is in the block when it is this session's turn.

        Who waits is served in order among those of its process, and among processes as it comes; whoever is cancelled
        while waiting leaves the others where they are. The turn of a process that dies is over when its lease is.

        Raises:
            SessionBusyError: Under ``reject``, another run goes on; under ``serial``, too many wait.
            SessionNotFoundError: The session was deleted.
            TurnLostError: The lease could not be renewed in time, so that another run may have begun: what is in the
                block was cancelled.
        """
        if self.policy is RunPolicy.PARALLEL:
            yield
            return
        line = self._lines.setdefault(session.id, _Line())
        self._require_room(line)
        line.length += 1
        try:
            async with line.lock:
                holder = new_id()
                try:
                    begun = await self._take(session, holder)
                    async with self._renewed(session, holder, begun):
                        yield
                finally:
                    await uninterrupted(self._release(session, holder))
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[session.id]

    def _require_room(self, line: _Line) -> None:
        if self.policy is RunPolicy.REJECT and line.length:
            raise self._busy("another run of the session goes on")
        if line.length > self._max_waiting:
            raise self._busy(f"{self._max_waiting} runs of the session wait already")

    def _busy(self, what: str) -> SessionBusyError:
        self._refused.add()
        return SessionBusyError(what)

    async def _take(self, session: FlowSession, holder: uuid.UUID) -> float:
        """Take the turn, or wait for it; the time of the event loop at which the lease began."""
        wait = _SHORTEST_WAIT
        while True:
            begun = asyncio.get_running_loop().time()
            if await self._try(session, holder):
                return begun
            if self.policy is RunPolicy.REJECT:
                raise self._busy("another run of the session goes on")
            # Another process runs in it, which has no way to tell this one when it is done.
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - spreads the load, hides nothing
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _try(self, session: FlowSession, holder: uuid.UUID) -> bool:
        now = utc_now()
        async with self._database.transaction() as transaction:
            turns = SessionTurnRepository(transaction, session.user_id)
            if await turns.take(session.id, holder, now=now, until=now + self._lease):
                return True
            if not await turns.exists(session.id):
                raise SessionNotFoundError
            return False

    @asynccontextmanager
    async def _renewed(self, session: FlowSession, holder: uuid.UUID, begun: float) -> AsyncGenerator[None, None]:
        loop = asyncio.get_running_loop()
        seconds = self._lease.total_seconds()
        try:
            async with asyncio.timeout_at(begun + seconds) as scope:

                async def renew() -> None:
                    while True:
                        await asyncio.sleep(seconds / 3)
                        begun = loop.time()
                        with suppress(UnavailableError):  # there is time for another attempt
                            if not await self._renew(session, holder):
                                scope.reschedule(loop.time())
                                return
                            scope.reschedule(begun + seconds)

                renewing = asyncio.create_task(renew(), name="bedplate-session-turn")
                try:
                    yield
                finally:
                    renewing.cancel()
                    await asyncio.wait({renewing})
        except TimeoutError:
            if scope.expired():
                raise TurnLostError from None
            raise

    async def _renew(self, session: FlowSession, holder: uuid.UUID) -> bool:
        async with self._database.transaction() as transaction:
            until = utc_now() + self._lease
            return await SessionTurnRepository(transaction, session.user_id).renew(session.id, holder, until)

    async def _release(self, session: FlowSession, holder: uuid.UUID) -> None:
        try:
            async with self._database.transaction() as transaction:
                await SessionTurnRepository(transaction, session.user_id).release(session.id, holder)
        except Exception as error:
            _log.warning("the turn of a session was not given back; its lease will end", error=type(error).__name__)
