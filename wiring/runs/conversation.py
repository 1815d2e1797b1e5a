"""The chat messages of one run: whole ones, and those whose text is still coming."""

import uuid
from collections.abc import Sequence

import msgspec

from bedplate.services.chat import ChatService, Message, MessageStatus, NewMessage
from bedplate.services.session.runner import HistoryQuery, RunMessage

__all__ = ["Conversation"]


class Conversation:
    """Stores the messages of a run, each once it is whole, and keeps the text of those that are not.

    Args:
        chat: Where messages are stored.
        user_id: The owner of the run.
        flow_id: The flow that runs.
        run_id: The run.
    """

    def __init__(self, chat: ChatService, user_id: uuid.UUID, flow_id: uuid.UUID, run_id: uuid.UUID) -> None:
        self._chat = chat
        self._user_id = user_id
        self._flow_id = flow_id
        self._run_id = run_id
        self._partial: dict[uuid.UUID, tuple[RunMessage, list[str]]] = {}

    def begin(self, message: RunMessage) -> None:
        """A message whose text will come in pieces."""
        self._partial[message.id] = (message, [message.text])

    def add(self, message_id: uuid.UUID, text: str) -> None:
        """The next piece of a message that was begun."""
        if message_id in self._partial:
            self._partial[message_id][1].append(text)

    async def finish(self, message: RunMessage) -> None:
        """A message that is whole; stored unless it says otherwise."""
        if message.store:
            await self._store(message, MessageStatus.COMPLETE)
        self._partial.pop(message.id, None)

    async def break_off(self, status: MessageStatus) -> Sequence[RunMessage]:
        """Store what has come of unfinished messages, and return them as they then are."""
        broken = []
        while self._partial:
            message_id, (begun, pieces) = next(iter(self._partial.items()))
            if text := "".join(pieces):
                properties = {**begun.properties, "state": "complete"}
                message = msgspec.structs.replace(begun, text=text, properties=properties)
                await self._store(message, status)
                broken.append(message)
            del self._partial[message_id]
        return broken

    async def history(self, query: HistoryQuery) -> Sequence[RunMessage]:
        """Messages of earlier runs, as components ask for them; error messages are none of the conversation."""
        found = await self._chat.history(
            self._user_id,
            query.session_id,
            sender=query.sender,
            sender_name=query.sender_name,
            without_run=self._run_id,
            without_errors=True,
            limit=query.limit,
        )
        messages = [_run_message(message) for message in found]
        return messages[::-1] if query.newest_first else messages

    async def _store(self, message: RunMessage, status: MessageStatus) -> None:
        await self._chat.append(
            self._user_id,
            NewMessage(
                id=message.id,
                flow_id=self._flow_id,
                run_id=self._run_id,
                session_id=message.session_id,
                sender=message.sender,
                sender_name=message.sender_name,
                text=message.text,
                timestamp=message.timestamp,
                files=message.files,
                properties=message.properties,
                content_blocks=message.content_blocks,
                category=message.category,
                error=message.error,
                status=status,
            ),
        )


def _run_message(message: Message) -> RunMessage:
    return RunMessage(
        id=message.id,
        session_id=message.session_id,
        text=message.text,
        sender=message.sender,
        sender_name=message.sender_name,
        files=message.files,
        properties=message.properties,
        category=message.category,
        content_blocks=message.content_blocks,
        error=message.error,
        timestamp=message.timestamp,
    )
