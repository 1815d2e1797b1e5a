"""Counting the uses of API keys and sessions without writing to the database at each."""

import uuid
from datetime import datetime, timedelta

from bedplate.services.auth.periodic import Periodic
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import utc_now
from bedplate.services.database.repositories.api_key import ApiKeyRepository, KeyUse
from bedplate.services.database.repositories.auth_session import AuthSessionRepository
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.auth import AuthSettings
from bedplate.services.telemetry import TelemetryService

__all__ = ["Usage"]

SESSION_RESOLUTION = timedelta(seconds=60)
"""How exactly the last use of a session is known: each is written at most once in this time."""

_log = get_logger("bedplate.auth")


class Usage:
    """Gathers uses and records them together, by interval and at stop.

    Args:
        settings: Interval, and how many keys may wait.
        telemetry: Counts the uses that could not be counted.
        database: Keeps the counts.
    """

    def __init__(self, settings: AuthSettings, telemetry: TelemetryService, database: DatabaseService) -> None:
        self._settings = settings
        self._database = database
        self._pending: dict[uuid.UUID, KeyUse] = {}
        self._sessions: dict[uuid.UUID, datetime] = {}
        self._recorder = Periodic("bedplate-auth-usage", settings.key_usage_interval, self._try_flush, at_stop=True)
        self._dropped = telemetry.meter.counter(
            "bedplate_auth_key_uses_dropped", "Uses of API keys not counted because too many keys were waiting"
        )

    def start(self) -> None:
        """Begin to record by interval."""
        self._recorder.start()

    async def stop(self) -> None:
        """Record what waits, and end."""
        await self._recorder.stop()

    def used(self, key_id: uuid.UUID) -> None:
        """Count one use, now."""
        before = self._pending.get(key_id)
        if before is None and len(self._pending) >= self._settings.key_usage_pending:
            self._dropped.add(1)
            return
        uses = 1 if before is None else before.uses + 1
        self._pending[key_id] = KeyUse(key_id=key_id, uses=uses, at=utc_now())

    def waiting(self, key_id: uuid.UUID) -> KeyUse | None:
        """The uses of a key that are not recorded yet."""
        return self._pending.get(key_id)

    def forget(self, key_id: uuid.UUID) -> None:
        """Drop what waits for a key that was deleted."""
        self._pending.pop(key_id, None)

    def session_used(self, session_id: uuid.UUID, known: datetime) -> None:
        """Note that a session is in use now.

        Args:
            session_id: The session.
            known: Its last use that the database knows of.
        """
        now = utc_now()
        if now - known >= SESSION_RESOLUTION and len(self._sessions) < self._settings.key_usage_pending:
            self._sessions[session_id] = now

    def last_used(self, session_id: uuid.UUID, known: datetime) -> datetime:
        """When a session was used last, as far as the database or this process knows."""
        return max(known, self._sessions.get(session_id, known))

    async def flush(self) -> None:
        """Record what waits; on failure it goes on waiting."""
        keys, self._pending = self._pending, {}
        sessions, self._sessions = self._sessions, {}
        if not keys and not sessions:
            return
        try:
            async with self._database.transaction() as session:
                await ApiKeyRepository(session).record(list(keys.values()))
                await AuthSessionRepository(session).record(sessions)
        except BaseException:
            for use in keys.values():
                self._restore(use)
            self._sessions = sessions | self._sessions
            raise

    def _restore(self, use: KeyUse) -> None:
        since = self._pending.get(use.key_id)
        if since is not None:
            use = KeyUse(key_id=use.key_id, uses=use.uses + since.uses, at=since.at)
        elif len(self._pending) >= self._settings.key_usage_pending:
            self._dropped.add(use.uses)
            return
        self._pending[use.key_id] = use

    async def _try_flush(self) -> None:
        try:
            await self.flush()
        except Exception as error:
            _log.warning("uses of API keys and sessions could not be recorded yet", error=type(error).__name__)
