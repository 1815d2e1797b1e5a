"""Values that cross the boundary of the state service."""

import enum
import re
import uuid
from typing import Any, Final

import msgspec

from bedplate.services.state.errors import StateKeyError

__all__ = ["ChangeKind", "Scope", "ScopeKind", "StateChange", "StateEntry", "StateUsage"]

MAX_SESSION_ID: Final = 1024
"""Longest id of a session, in characters."""

_HALVES: Final = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs, which are in no text."""


class ScopeKind(enum.StrEnum):
    """For how long, and for whom, a value is there.

    Attributes:
        RUN: For one run of a flow; gone when the run is.
        SESSION: For all runs of a session.
        USER: For all runs of a user.
        APP: For the whole application, whoever uses it.
    """

    RUN = "run"
    SESSION = "session"
    USER = "user"
    APP = "app"


class Scope(msgspec.Struct, frozen=True):
    """Whose values, and which of theirs; make one with the methods below and keep it while it is used.

    The owner is part of the name: whoever names another user's run under their own id finds nothing.

    Attributes:
        name: Unique among all scopes.
        kind: For how long its values are there.
        user_id: The owner; None for the application.
    """

    name: str
    kind: ScopeKind
    user_id: uuid.UUID | None

    @classmethod
    def run(cls, user_id: uuid.UUID, run_id: uuid.UUID) -> "Scope":
        """The values of a run."""
        return cls(f"run/{user_id}/{run_id}", ScopeKind.RUN, user_id)

    @classmethod
    def session(cls, user_id: uuid.UUID, flow_id: uuid.UUID, session_id: str) -> "Scope":
        """The values of a session of a flow.

        Raises:
            StateKeyError: The id of the session is too long, or not valid Unicode.
        """
        if len(session_id) > MAX_SESSION_ID:
            raise StateKeyError(
                f"a session id of {len(session_id)} characters is over the limit of {MAX_SESSION_ID}",
                fix="use the id of the session as the session service gives it",
            )
        if not session_id.isascii() and _HALVES.search(session_id):
            raise StateKeyError("the session id is not valid Unicode", fix="encode or hash it first")
        return cls(f"session/{user_id}/{flow_id}/{session_id}", ScopeKind.SESSION, user_id)

    @classmethod
    def user(cls, user_id: uuid.UUID) -> "Scope":
        """The values of a user."""
        return cls(f"user/{user_id}", ScopeKind.USER, user_id)

    @classmethod
    def app(cls) -> "Scope":
        """The values of the application; for its own code, never by the word of one user."""
        return cls("app", ScopeKind.APP, None)


class StateEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A value with what is known of it.

    Attributes:
        value: The caller's own copy.
        version: Grows with every change of the key, and is never used twice for it.
        expires_in: Seconds until it expires; None if it does not by itself.
    """

    value: Any
    version: int
    expires_in: float | None


class ChangeKind(enum.StrEnum):
    """What has happened to a key.

    Attributes:
        SET: It has a new value.
        APPEND: Its list has one more item, which is the ``value`` of the change.
        DELETE: It has no value any more.
        EXPIRE: Its time is over.
        CURRENT: Nothing, but this is its value: the first answer of a subscription that asks for it, and what a
            subscriber gets who lagged too far behind.
    """

    SET = "set"
    APPEND = "append"
    DELETE = "delete"
    EXPIRE = "expire"
    CURRENT = "current"


class StateChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a key, as a subscriber gets it.

    Attributes:
        key: The key.
        kind: What has happened.
        value: The subscriber's own copy of the value, or of the item; None where there is none.
        version: The version that the change made.
        missed: How many changes before this one, at least, the subscriber did not get because it lagged, or because
            they were lost on their way from another replica; such a change is ``CURRENT``, or ``DELETE`` where
            nothing is left.
    """

    key: str
    kind: ChangeKind
    value: Any = None
    version: int
    missed: int = 0


class StateUsage(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is now, and what has happened since the service was built.

    Attributes:
        scopes: Runs, sessions, users that have values, or subscriptions where these are kept with them; the application
            may be one more.
        entries: Values kept.
        bytes: Bytes that they count for, about half a KiB for each included.
        subscriptions: Subscriptions of this process that have not ended.
        expired: Values whose time was over, as this process found.
    """

    scopes: int
    entries: int
    bytes: int
    subscriptions: int
    expired: int
