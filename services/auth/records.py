"""What the auth service tells of what it keeps: sessions, keys, events."""

import uuid
from datetime import datetime
from typing import Any

import msgspec

__all__ = ["AuditEvent", "AuditPage", "KeyRotation", "LoginSession"]


class KeyRotation(msgspec.Struct, frozen=True, kw_only=True):
    """What a rotation of the signing keys came to.

    Attributes:
        key_id: ``kid`` of the key that signs now.
        algorithm: What it signs with.
        previous_key_id: ``kid`` of the key that signed before.
        previous_good_until: When the last token of that key has expired.
    """

    key_id: str
    algorithm: str
    previous_key_id: str
    previous_good_until: datetime


class LoginSession(msgspec.Struct, frozen=True, kw_only=True):
    """A place where a user is logged in.

    Attributes:
        id: Its id, also the ``sid`` of its tokens.
        user_id: Whose it is.
        kind: ``token`` for a pair of tokens, ``cookie`` for Bedplate's own session cookie.
        user_agent: What the client called itself at the login.
        address: IP address that the login came from.
        created_at: When that was.
        last_used_at: When it was used last, to the minute.
        expires_at: When it ends, if it is not refreshed.
        current: Whether it is the caller's own.
    """

    id: uuid.UUID
    user_id: uuid.UUID
    kind: str
    user_agent: str | None
    address: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A security event.

    Attributes:
        at: When.
        kind: What happened.
        user_id: Whose account it is about.
        actor_id: Who did it; None: nobody who was known, or the operator.
        target_id: The session, key or other object.
        address: IP address that the request came from.
        user_agent: What its client called itself.
        details: More about it.
    """

    id: uuid.UUID
    at: datetime
    kind: str
    user_id: uuid.UUID | None
    actor_id: uuid.UUID | None
    target_id: str | None
    address: str | None
    user_agent: str | None
    details: dict[str, Any]


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some events, latest first, and the cursor of the next page; None at the end."""

    events: tuple[AuditEvent, ...]
    next_cursor: str | None
