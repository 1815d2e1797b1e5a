"""Tells rooms what happens in the services: jobs that come and go, messages that no run has told of.

And has connections looked at whose credentials may be good no longer.
"""

import contextlib
import uuid
from types import TracebackType
from typing import Final, Self

from bedplate.containers import ApplicationContainer
from bedplate.services.auth.audit import AuditKind
from bedplate.services.chat import ChangeKind, ChatChange
from bedplate.services.job_queue import Job
from bedplate.services.socket import Room
from bedplate.wiring.sockets.shapes import chat_message, job_fields

__all__ = ["News"]

_ENDS_CREDENTIALS: Final = frozenset(
    (
        AuditKind.LOGOUT,
        AuditKind.REFRESH_REUSED,
        AuditKind.SESSION_REVOKED,
        AuditKind.PASSWORD_CHANGED,
        AuditKind.API_KEY_CHANGED,
        AuditKind.API_KEY_DELETED,
        AuditKind.USER_DEACTIVATED,
        AuditKind.USER_DELETED,
    )
)


class News:
    """Watches the services of a container from entry to exit.

    Args:
        container: The services.
    """

    def __init__(self, container: ApplicationContainer) -> None:
        self._container = container
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._stack.callback(self._container.job_queue().watch(self._job))
        self._stack.callback(self._container.chat().watch(self._chat))
        self._stack.callback(self._container.auth().audit.watch(self._audited))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _job(self, job: Job) -> None:
        self._container.socket().publish(Room.user(job.user_id), "job", job_fields(job))

    def _audited(self, event: tuple[str, uuid.UUID]) -> None:
        kind, user_id = event
        if kind in _ENDS_CREDENTIALS:
            self._container.socket().recheck(user_id)

    def _chat(self, change: ChatChange) -> None:
        socket = self._container.socket()
        room = Room.session(change.user_id, change.session_id)
        match change.kind:
            case ChangeKind.STORED | ChangeKind.UPDATED:
                for message in change.messages:
                    # A run tells of its own messages itself, in order with the pieces of their texts.
                    if change.kind is ChangeKind.UPDATED or message.run_id is None:
                        socket.publish(room, "message", self._container.redactor().value(chat_message(message)))
            case ChangeKind.DELETED:
                ids = [str(message_id) for message_id in change.message_ids]
                socket.publish(room, "messages_deleted", {"session_id": change.session_id, "ids": ids})
            case ChangeKind.RENAMED:
                data = {"session_id": change.session_id, "new_session_id": change.new_session_id}
                socket.publish(room, "session_renamed", data)
