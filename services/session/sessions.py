"""Sessions of flow execution: who runs which flow, under which name, since when."""

import builtins
import secrets
import uuid
from collections import Counter
from datetime import datetime, timedelta

import msgspec

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import FlowSessionRow, new_id, utc_now
from bedplate.services.database.repositories.flow import FlowRepository
from bedplate.services.database.repositories.flow_session import FlowSessionRepository
from bedplate.services.session.errors import FlowNotFoundError, NameTakenError, SessionNotFoundError
from bedplate.services.session.models import FlowSession, SessionStatus
from bedplate.services.session.names import again_when_taken
from bedplate.services.session.validation import check_name
from bedplate.services.telemetry import TelemetryService

__all__ = ["Sessions"]

_ID_BYTES = 24
_PURGED_AT_ONCE = 100


class Sessions:
    """The sessions of every user; each method sees those of one.

    Args:
        database: Where they are kept.
        telemetry: Counts those that expire.
        idle_ttl: Seconds without a run after which a session has expired.
    """

    def __init__(self, database: DatabaseService, telemetry: TelemetryService, idle_ttl: float) -> None:
        self._database = database
        self._idle_ttl = timedelta(seconds=idle_ttl)
        self._running: Counter[uuid.UUID] = Counter()
        self._expired = telemetry.meter.counter(
            "bedplate_session_expired_total", "Sessions deleted because nothing ran in them for too long."
        )

    @again_when_taken
    async def open(self, user_id: uuid.UUID, flow_id: uuid.UUID, session_id: str | None = None) -> FlowSession:
        """The session of this name, or a new one.

        Args:
            user_id: The owner.
            flow_id: A flow of the owner.
            session_id: What the client calls it, kept as it is; None makes a name that cannot be guessed.

        Raises:
            FlowNotFoundError: The flow is not the user's.
            InvalidInputError: The name is empty, too long, or has control characters.
        """
        if session_id is not None:
            check_name(session_id, "session")
            async with self._database.session() as session:
                row = await FlowSessionRepository(session, user_id).get(flow_id, session_id)
            if row is not None and row.last_active_at >= self._alive_since():
                return _session(row)
        async with self._database.transaction() as session:
            if await FlowRepository(session, user_id).missing([flow_id]):
                raise FlowNotFoundError
            expired = await FlowSessionRepository.purge(session, self._alive_since(), _PURGED_AT_ONCE)
            sessions = FlowSessionRepository(session, user_id)
            name = session_id or secrets.token_urlsafe(_ID_BYTES)
            row = await sessions.get(flow_id, name)
            if row is not None and row.last_active_at < self._alive_since():
                await sessions.delete(name, flow_id)
                row = None
            if row is None:
                row = await sessions.add(FlowSessionRow(id=new_id(), user_id=user_id, flow_id=flow_id, session_id=name))
        self._expired.add(expired)
        return _session(row)

    async def get(self, user_id: uuid.UUID, flow_id: uuid.UUID, session_id: str) -> FlowSession:
        """One session.

        Raises:
            SessionNotFoundError: It is not the user's, or has expired.
        """
        async with self._database.session() as session:
            row = await FlowSessionRepository(session, user_id).get(flow_id, session_id)
        if row is None or row.last_active_at < self._alive_since():
            raise SessionNotFoundError
        return _session(row)

    async def list(
        self, user_id: uuid.UUID, *, flow_id: uuid.UUID | None = None, offset: int = 0, limit: int = 100
    ) -> builtins.list[FlowSession]:
        """Sessions that have not expired, the last active first.

        Args:
            user_id: The owner.
            flow_id: Only those with this flow.
            offset: How many to leave out.
            limit: Most sessions.
        """
        async with self._database.session() as session:
            rows = await FlowSessionRepository(session, user_id).alive(
                flow_id=flow_id, alive_since=self._alive_since(), offset=offset, limit=limit
            )
        return [_session(row) for row in rows]

    async def list_all(self, *, offset: int = 0, limit: int = 100) -> builtins.list[FlowSession]:
        """Sessions of all users, as :meth:`list`: for operators, which the caller has made sure of."""
        async with self._database.session() as session:
            rows = await FlowSessionRepository.alive_of_all(
                session, alive_since=self._alive_since(), offset=offset, limit=limit
            )
        return [_session(row) for row in rows]

    async def label(self, user_id: uuid.UUID, flow_id: uuid.UUID, session_id: str, name: str | None) -> FlowSession:
        """Set what people call a session; None takes the name away.

        Raises:
            SessionNotFoundError: It is not the user's, or has expired.
            InvalidInputError: The name is empty, too long, or has control characters.
        """
        if name is not None:
            check_name(name, "session")
        return await self._update(await self.get(user_id, flow_id, session_id), name=name)

    async def rename(self, user_id: uuid.UUID, old: str, new: str, *, flow_id: uuid.UUID | None = None) -> int:
        """Let clients call sessions by another session id.

        Args:
            user_id: The owner.
            old: The session id until now.
            new: The session id from now on.
            flow_id: Only the session with this flow; None for those of all flows.

        Returns:
            How many sessions it was.

        Raises:
            SessionNotFoundError: There is none of the user's.
            NameTakenError: One of the flows has a session of the new name.
            InvalidInputError: The new name is empty, too long, or has control characters.
        """
        check_name(new, "session")
        async with self._database.transaction() as session:
            sessions = FlowSessionRepository(session, user_id)
            if old != new and await sessions.clashes(old, new, flow_id):
                raise NameTakenError("session", "session_id", new)
            renamed = await sessions.rename(old, new, flow_id)
        if not renamed:
            raise SessionNotFoundError
        return renamed

    async def delete(self, user_id: uuid.UUID, session_id: str, *, flow_id: uuid.UUID | None = None) -> int:
        """Forget sessions; their chat messages are the chat service's.

        Returns:
            How many sessions it was.

        Raises:
            SessionNotFoundError: There is none of the user's.
        """
        async with self._database.transaction() as session:
            deleted = await FlowSessionRepository(session, user_id).delete(session_id, flow_id)
        if not deleted:
            raise SessionNotFoundError
        return deleted

    async def touch(self, session: FlowSession) -> FlowSession:
        """Count a run that begins; :meth:`finish` must follow, once for each.

        Raises:
            SessionNotFoundError: The session was deleted.
        """
        self._running[session.id] += 1
        try:
            return await self._update(session, status=SessionStatus.RUNNING, runs=FlowSessionRow.runs + 1)
        except BaseException:
            self._ended(session)
            raise

    async def finish(self, session: FlowSession, status: SessionStatus = SessionStatus.IDLE) -> None:
        """Note how a run ended; while others of the session go on in this process, it stays running."""
        if self._ended(session):
            status = SessionStatus.RUNNING
        try:
            await self._update(session, status=status)
        except SessionNotFoundError:
            # Deleted while it ran: there is nothing left to say it of.
            return

    def _ended(self, session: FlowSession) -> bool:
        """Count a run less; return whether others go on."""
        self._running[session.id] -= 1
        if self._running[session.id] > 0:
            return True
        del self._running[session.id]
        return False

    async def _update(self, session: FlowSession, **values: object) -> FlowSession:
        if "name" not in values:
            values["last_active_at"] = utc_now()
        async with self._database.transaction() as transaction:
            row = await FlowSessionRepository(transaction, session.user_id).update(session.id, **values)
        if row is None:
            raise SessionNotFoundError
        return _session(row)

    async def delete_expired(self) -> int:
        """Delete the sessions of all users in which nothing ran for too long, in small transactions; how many."""
        deleted = 0
        while True:
            async with self._database.transaction() as session:
                some = await FlowSessionRepository.purge(session, self._alive_since(), _PURGED_AT_ONCE)
            self._expired.add(some)
            deleted += some
            if some < _PURGED_AT_ONCE:
                return deleted

    def _alive_since(self) -> datetime:
        return utc_now() - self._idle_ttl


def _session(row: FlowSessionRow) -> FlowSession:
    return msgspec.convert(row, FlowSession, from_attributes=True)
