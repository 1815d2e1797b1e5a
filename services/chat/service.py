"""The chat service."""

import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from bedplate.services.base import Service
from bedplate.services.chat.bulk import store_all
from bedplate.services.chat.errors import (
    MessageNotFoundError,
    MessageTooLargeError,
    SessionExistsError,
    SessionNotFoundError,
)
from bedplate.services.chat.fork import fork
from bedplate.services.chat.models import ChangeKind, ChatChange, Fork, Message, NewMessage
from bedplate.services.chat.reader import MessageReader
from bedplate.services.chat.retention import drop_some
from bedplate.services.chat.rows import message_of, store
from bedplate.services.chat.validation import checked_details, checked_message, checked_name, checked_text
from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import ForeignKeyViolationError
from bedplate.services.database.locks import lock_user
from bedplate.services.database.models import MessageRow
from bedplate.services.database.repositories.chat import ChatRepository
from bedplate.services.database.retention import BATCH
from bedplate.services.errors import NotFoundError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.watchers import Watchers

__all__ = ["ChatService"]


class ChatService(Service, MessageReader):
    """Messages of chat sessions, each owned by a user; a session is there as long as it has messages.

    Args:
        settings: The settings service; its group is ``chat``.
        telemetry: For the metrics.
        database: Where messages are kept.
    """

    type = ServiceType.CHAT
    backend = "database"

    def __init__(self, settings: SettingsService, telemetry: TelemetryService, database: DatabaseService) -> None:
        MessageReader.__init__(self, database, settings.values.chat)
        self._watchers: Watchers[ChatChange] = Watchers()
        self._stored = telemetry.meter.counter("bedplate_chat_messages", "Stored messages", labels=("status",))
        self._dropped = telemetry.meter.counter(
            "bedplate_chat_dropped_total", "Messages deleted because they were older or more than is kept."
        )

    def watch(self, watcher: Callable[[ChatChange], None]) -> Callable[[], None]:
        """Call ``watcher`` with every change that this service makes, once it has been made; returns what ends that.

        In a transaction of the caller's own, that is before the transaction has been committed: what it hears of is a
        hint to look, and the messages are the truth.
        """
        return self._watchers.add(watcher)

    async def append(self, user_id: uuid.UUID, message: NewMessage) -> Message:
        """Store a message; one of the user's own with the same id is replaced and keeps its time.

        Raises:
            InvalidInputError: A name is empty, or properties and content blocks are not JSON-like.
            MessageTooLargeError: Something is over a limit.
            NotFoundError: The flow, or the message with this id, is somebody else's, or the user is not there.
        """
        [stored] = await self.append_many(user_id, [message])
        return stored

    async def append_many(self, user_id: uuid.UUID, messages: Sequence[NewMessage]) -> Sequence[Message]:
        """Store several messages in one transaction, as :meth:`append` does each; all or none."""
        self._require_batch(len(messages))
        checked = [checked_message(message, self._settings) for message in messages]
        try:
            async with self._database.transaction() as session:
                rows = await store(ChatRepository(session), user_id, checked)
        except ForeignKeyViolationError as error:
            raise NotFoundError("the user of the message is not there", service="chat") from error
        for message in checked:
            self._stored.add(status=message.status.value)
        stored = [message_of(row) for row in rows]
        self._tell(ChangeKind.STORED, user_id, stored)
        return stored

    async def import_all(self, user_id: uuid.UUID, messages: Iterable[NewMessage]) -> int:
        """Store many new messages, all or none, several times faster than :meth:`append_many`; how many there were.

        They are of the past: nobody who watches is told of them. The event loop goes on meanwhile, but others who
        write wait until the last is stored.

        Raises:
            InvalidInputError: A message cannot be stored.
            MessageTooLargeError: Something is over a limit, or there are more than ``max_import``.
            NotFoundError: A flow is not the user's, or the user is not there.
            ConflictError: A message with one of the ids is there.
        """
        return await store_all(self._database, self._settings, user_id, messages)

    async def update(
        self,
        user_id: uuid.UUID,
        message_id: uuid.UUID,
        *,
        text: str | None = None,
        sender: str | None = None,
        sender_name: str | None = None,
        session_id: str | None = None,
        files: Sequence[str] | None = None,
        properties: dict[str, Any] | None = None,
        edit: bool | None = None,
        error: bool | None = None,
    ) -> Message:
        """Change parts of a message; None leaves a part as it is. A text that differs marks the message as edited.

        Raises:
            MessageNotFoundError: There is none with this id, or it is somebody else's.
            InvalidInputError: A name is empty, or the properties are not JSON-like.
            MessageTooLargeError: Something is over a limit.
        """
        names = {"sender": sender, "sender_name": sender_name, "session_id": session_id}
        changes: dict[str, Any] = {
            name: checked_name(name, value, self._settings, may_be_empty=name == "sender_name")
            for name, value in names.items()
            if value is not None
        }
        changes |= {name: value for name, value in (("edit", edit), ("error", error)) if value is not None}
        if text is not None:
            changes["text"] = checked_text(text, self._settings)
        async with self._database.transaction() as session:
            repository = ChatRepository(session)
            row = await repository.get(user_id, message_id)
            if row is None:
                raise MessageNotFoundError(message_id)
            if changes.get("text", row.text) != row.text:
                changes["edit"] = True
            changes |= self._changed_details(row, files, properties)
            former = row.session_id
            for name, value in changes.items():
                setattr(row, name, value)
            await repository.save([row])
        message = message_of(row)
        if message.session_id != former:
            self._tell_deleted(user_id, former, message_id)
        self._tell(ChangeKind.UPDATED, user_id, [message])
        return message

    async def delete(self, user_id: uuid.UUID, message_ids: Collection[uuid.UUID]) -> int:
        """Delete messages; ids that are not there, or somebody else's, are passed over. Returns how many were deleted.

        Raises:
            MessageTooLargeError: There are too many ids.
        """
        self._require_batch(len(message_ids))
        async with self._database.transaction() as session:
            deleted = await ChatRepository(session).delete(user_id, set(message_ids))
        for session_id in {session_id for _, session_id in deleted}:
            ids = [message_id for message_id, its_session in deleted if its_session == session_id]
            self._tell_deleted(user_id, session_id, *ids)
        return len(deleted)

    async def rename_session(self, user_id: uuid.UUID, old: str, new: str) -> int:
        """Move all messages of a session to a session of a new name; returns how many.

        Raises:
            SessionNotFoundError: The user has no messages in the old session.
            SessionExistsError: The user has messages in the new one.
            InvalidInputError: The new name is empty.
            MessageTooLargeError: It is too long.
        """
        new = checked_name("session id", new, self._settings)
        async with self._database.transaction() as session:
            await lock_user(session, user_id)
            repository = ChatRepository(session)
            if not await repository.has_messages(user_id, old):
                raise SessionNotFoundError(old)
            if new != old and await repository.has_messages(user_id, new):
                raise SessionExistsError(new)
            renamed = await repository.rename_session(user_id, old, new)
        change = ChatChange(kind=ChangeKind.RENAMED, user_id=user_id, session_id=old, new_session_id=new)
        self._watchers.tell(change)
        return renamed

    async def fork(self, user_id: uuid.UUID, message_id: uuid.UUID, session_id: str | None = None) -> Fork:
        """Let a conversation go on from one of its messages in a session of its own.

        The messages of its session up to that one are copied, all or nothing: they keep their order, times and run,
        get new ids, and name the same files.

        Args:
            user_id: The owner.
            message_id: The last message that is copied.
            session_id: The new session; None makes a name that cannot be guessed.

        Raises:
            MessageNotFoundError: There is none with this id, or it is somebody else's.
            SessionExistsError: The user has messages in the new session.
            InvalidInputError: The name of the new session is empty.
            MessageTooLargeError: It is too long, or there are too many messages to copy.
        """
        if session_id is not None:
            session_id = checked_name("session id", session_id, self._settings)
        made = await fork(self._database, user_id, message_id, session_id, self._settings.max_fork_messages)
        self._watchers.tell(ChatChange(kind=ChangeKind.STORED, user_id=user_id, session_id=made.session_id))
        return made

    async def delete_old(self, *, limit: int = BATCH) -> int:
        """Delete one batch of messages beyond ``retention`` or one of the caps; how many there were."""
        dropped = await drop_some(self._database, self._settings, limit)
        by_session: dict[tuple[uuid.UUID, str], list[uuid.UUID]] = {}
        for message_id, user_id, session_id in dropped:
            by_session.setdefault((user_id, session_id), []).append(message_id)
        for (user_id, session_id), ids in by_session.items():
            self._tell_deleted(user_id, session_id, *ids)
        self._dropped.add(len(dropped))
        return len(dropped)

    async def delete_session(self, user_id: uuid.UUID, session_id: str) -> int:
        """Delete all messages of a session; returns how many, which may be none."""
        async with self._database.transaction() as session:
            deleted = await ChatRepository(session).delete_session(user_id, session_id)
        if deleted:
            self._tell_deleted(user_id, session_id)
        return deleted

    def _tell(self, kind: ChangeKind, user_id: uuid.UUID, messages: Sequence[Message]) -> None:
        if not self._watchers:
            return
        for session_id in dict.fromkeys(message.session_id for message in messages):
            some = tuple(message for message in messages if message.session_id == session_id)
            self._watchers.tell(ChatChange(kind=kind, user_id=user_id, session_id=session_id, messages=some))

    def _tell_deleted(self, user_id: uuid.UUID, session_id: str, *message_ids: uuid.UUID) -> None:
        change = ChatChange(kind=ChangeKind.DELETED, user_id=user_id, session_id=session_id, message_ids=message_ids)
        self._watchers.tell(change)

    def _changed_details(
        self, row: MessageRow, files: Sequence[str] | None, properties: dict[str, Any] | None
    ) -> dict[str, Any]:
        if files is None and properties is None:
            return {}
        return checked_details(
            {
                "files": row.files if files is None else list(files),
                "properties": row.properties if properties is None else properties,
                "content_blocks": row.content_blocks,
            },
            self._settings,
        )

    def _require_batch(self, count: int) -> None:
        if count > self._settings.max_batch:
            raise MessageTooLargeError(
                f"the batch has {count} messages", f"{self._settings.max_batch} messages", "MAX_BATCH"
            )
