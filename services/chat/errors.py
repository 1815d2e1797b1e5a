"""Errors of the chat service.

::

    NotFoundError
    ├── MessageNotFoundError      no such message, or not the caller's
    └── SessionNotFoundError      no messages in such a session
    ConflictError
    └── SessionExistsError        a session of the new name has messages
    TooLargeError
    └── MessageTooLargeError      a message, or a batch of them, is over a limit
"""

import uuid

from bedplate.services.errors import ConflictError, NotFoundError, TooLargeError

__all__ = ["MessageNotFoundError", "MessageTooLargeError", "SessionExistsError", "SessionNotFoundError"]

_SERVICE = "chat"


class MessageNotFoundError(NotFoundError):
    """The message is not there, or belongs to somebody else."""

    code = "message_not_found"

    def __init__(self, message_id: uuid.UUID) -> None:
        super().__init__(f"there is no message {message_id}", service=_SERVICE)


class SessionNotFoundError(NotFoundError):
    """The user has no messages in such a session."""

    code = "chat_session_not_found"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"there are no messages in a session {session_id!r}", service=_SERVICE)


class SessionExistsError(ConflictError):
    """A session of the new name has messages already."""

    code = "chat_session_exists"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"there are messages in a session {session_id!r} already", service=_SERVICE, fix="choose another name"
        )


class MessageTooLargeError(TooLargeError):
    """A message, or a batch of them, is over a limit.

    Args:
        what: The part that is too large, with its size.
        limit: The limit, with its unit.
        setting: The setting that says so.
    """

    code = "message_too_large"

    def __init__(self, what: str, limit: str, setting: str) -> None:
        super().__init__(
            f"{what}, more than the {limit} allowed",
            service=_SERVICE,
            fix=f"send less, or raise BEDPLATE_CHAT__{setting}",
        )
