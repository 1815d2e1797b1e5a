"""The audit log: every security event, once and for good."""

import re
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from bedplate.services.auth.errors import NotAllowedError
from bedplate.services.auth.models import Client, Principal
from bedplate.services.auth.records import AuditEvent, AuditPage
from bedplate.services.auth.scopes import Scope, covers
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import AuditEventRow, utc_now
from bedplate.services.database.repositories.audit_event import AuditEventRepository
from bedplate.services.database.repositories.cursor import decode_cursor, encode_cursor
from bedplate.services.errors import InvalidInputError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings.groups.auth import AuthSettings
from bedplate.services.watchers import Watchers

__all__ = ["Audit", "AuditKind"]

MAX_PAGE = 1000
MAX_TEXT = 255
PRUNED_AT_ONCE = 1000
_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")

_log = get_logger("bedplate.auth")


class AuditKind(StrEnum):
    """The events of the auth service; other services have kinds of their own."""

    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    LOCKED_OUT = "locked_out"
    UNLOCKED = "unlocked"
    LOGOUT = "logout"
    REFRESH_REUSED = "refresh_reused"
    SESSION_REVOKED = "session_revoked"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name
    API_KEY_CREATED = "api_key_created"
    API_KEY_CHANGED = "api_key_changed"
    API_KEY_DELETED = "api_key_deleted"
    USER_CREATED = "user_created"
    USER_RENAMED = "user_renamed"
    USER_ACTIVATED = "user_activated"
    USER_DEACTIVATED = "user_deactivated"
    USER_DELETED = "user_deleted"
    SUPERUSER_GRANTED = "superuser_granted"
    SUPERUSER_REVOKED = "superuser_revoked"
    SIGNING_KEY_ROTATED = "signing_key_rotated"


class Audit:
    """Adds events and shows them to superusers. No method changes one, and the database refuses to.

    Args:
        settings: How long events are kept.
        database: Keeps them.
    """

    def __init__(self, settings: AuthSettings, database: DatabaseService) -> None:
        self._settings = settings
        self._database = database
        self._watchers: Watchers[tuple[str, uuid.UUID]] = Watchers()

    async def record(
        self,
        kind: str,
        *,
        user_id: uuid.UUID | None = None,
        actor: Principal | uuid.UUID | None = None,
        target_id: uuid.UUID | str | None = None,
        client: Client | None = None,
        details: Mapping[str, str | int | bool | None] | None = None,
    ) -> None:
        """Add an event; within a transaction, it stands and falls with what it is about.

        Args:
            kind: What happened: one of :class:`AuditKind`, or a name in lower case of another service.
            user_id: Whose account it is about.
            actor: Who did it; None: nobody who was known, or the operator.
            target_id: The session, key or other object.
            client: Where the request came from; None: as the actor's.
            details: More about it. Never a secret, nor what somebody typed who may have mistaken the field.

        Raises:
            InvalidInputError: The kind is no name.
        """
        if not _KIND.match(kind):
            raise InvalidInputError(
                f"{kind!r:.100} is no kind of event", service=ServiceType.AUTH, fix="use a name such as 'key_rotated'"
            )
        principal = actor if isinstance(actor, Principal) else None
        client = client or (principal.client if principal else None) or Client()
        row = AuditEventRow(
            kind=str(kind),
            user_id=user_id,
            actor_id=actor.user.id if isinstance(actor, Principal) else actor,
            target_id=None if target_id is None else str(target_id)[:MAX_TEXT],
            address=client.address and client.address[:MAX_TEXT],
            user_agent=client.user_agent and client.user_agent[:MAX_TEXT],
            details={name: value[:MAX_TEXT] if isinstance(value, str) else value for name, value in details.items()}
            if details
            else None,
        )
        async with self._database.transaction() as session:
            await AuditEventRepository(session).add(row)
            if self._watchers and user_id is not None:
                self._database.after_commit(partial(self._watchers.tell, (str(kind), user_id)))

    def watch(self, watcher: Callable[[tuple[str, uuid.UUID]], None]) -> Callable[[], None]:
        """Call ``watcher`` with kind and user of each event of this process about a user, once it is committed.

        Returns what ends the watch.
        """
        return self._watchers.add(watcher)

    async def list(
        self,
        actor: Principal,
        *,
        kinds: Collection[str] = (),
        user_id: uuid.UUID | None = None,
        actor_id: uuid.UUID | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> AuditPage:
        """Events that are all of what is asked for, latest first; at most 1,000 at once.

        Args:
            actor: The caller, who must be a superuser.
            kinds: Kinds of events; none: all.
            user_id: Whose account they are about.
            actor_id: Who did it.
            since: From this moment on.
            until: Before this moment.
            limit: Most events.
            cursor: ``next_cursor`` of the page before.

        Raises:
            NotAllowedError: The caller is no superuser, or has a key for other things.
            InvalidInputError: The cursor is none.
        """
        if not actor.user.is_superuser or not covers(actor.scopes, Scope.SYSTEM_READ):
            raise NotAllowedError
        before = None if cursor is None else decode_cursor(cursor, service=ServiceType.AUTH)
        limit = max(1, min(limit, MAX_PAGE))
        async with self._database.session() as session:
            rows = await AuditEventRepository(session).latest(
                kinds=list(kinds),
                user_id=user_id,
                actor_id=actor_id,
                since=since,
                until=until,
                before=before,
                limit=limit + 1,
            )
        shown = rows[:limit]
        more = len(rows) > limit
        return AuditPage(
            events=tuple(map(_to_event, shown)),
            next_cursor=encode_cursor(shown[-1].at, shown[-1].id) if more else None,
        )

    async def prune(self) -> int:
        """Delete what is older than the settings say; how many events there were.

        In small transactions, so that nobody waits for long.
        """
        if not self._settings.audit_retention:
            return 0
        before, pruned = utc_now() - timedelta(seconds=self._settings.audit_retention), 0
        while True:
            async with self._database.transaction() as session:
                some = await AuditEventRepository(session).prune(before, PRUNED_AT_ONCE)
            pruned += some
            if some < PRUNED_AT_ONCE:
                break
        if pruned:
            _log.info("old audit events deleted", events=pruned)
        return pruned


def _to_event(row: AuditEventRow) -> AuditEvent:
    return AuditEvent(
        id=row.id,
        at=row.at,
        kind=row.kind,
        user_id=row.user_id,
        actor_id=row.actor_id,
        target_id=row.target_id,
        address=row.address,
        user_agent=row.user_agent,
        details=row.details or {},
    )
