"""Messages to rows, and rows to messages."""

import uuid
from collections.abc import Sequence
from typing import Any

from bedplate.services.chat.errors import MessageNotFoundError
from bedplate.services.chat.models import Message, MessageStatus, NewMessage
from bedplate.services.database.json_columns import dump_json
from bedplate.services.database.models import MessageRow, new_id, utc_now
from bedplate.services.database.repositories.chat import ChatRepository
from bedplate.services.database.violations import violations
from bedplate.services.errors import NotFoundError

__all__ = ["message_of", "store"]


async def store(repository: ChatRepository, user_id: uuid.UUID, messages: Sequence[NewMessage]) -> Sequence[MessageRow]:
    """Add the messages, or replace those of the user's that are there; returns a row for each.

    Raises:
        NotFoundError: A flow, or a message with one of the ids, is somebody else's.
        ForeignKeyViolationError: The user is not there.
    """
    flows = {message.flow_id for message in messages if message.flow_id is not None}
    if flows - await repository.owned_flows(user_id, flows):
        raise NotFoundError("the flow of the message is not there", service="chat")
    known = await repository.by_ids({message.id for message in messages if message.id is not None})
    rows: dict[uuid.UUID, MessageRow] = {}
    order: list[MessageRow] = []
    for message in messages:
        row = rows.get(message.id) or known.get(message.id) if message.id is not None else None
        if row is not None and row.user_id != user_id:
            raise MessageNotFoundError(row.id)
        row = _write(user_id, message, row)
        rows[row.id] = row
        order.append(row)
    with violations():
        await repository.save(list(rows.values()))
    return order


def _write(user_id: uuid.UUID, message: NewMessage, row: MessageRow | None) -> MessageRow:
    if row is None:
        row = MessageRow(
            id=message.id or new_id(),
            user_id=user_id,
            timestamp=message.timestamp or utc_now(),
            session_id=message.session_id,
            sender=message.sender,
            sender_name=message.sender_name,
        )
    for name in ("session_id", "flow_id", "run_id", "sender", "sender_name", "text", "category", "error"):
        setattr(row, name, getattr(message, name))
    row.status = message.status.value
    row.files = list(message.files)
    row.properties = dict(message.properties)
    row.content_blocks = list(message.content_blocks)
    return row


def message_of(row: MessageRow) -> Message:
    """The message in a row."""
    return Message(
        id=row.id,
        user_id=row.user_id,
        session_id=row.session_id,
        sender=row.sender,
        sender_name=row.sender_name,
        text=row.text,
        flow_id=row.flow_id,
        run_id=row.run_id,
        timestamp=row.timestamp,
        files=_texts(row.files),
        properties=row.properties,
        content_blocks=tuple(row.content_blocks),
        category=row.category,
        error=row.error,
        edit=row.edit,
        status=MessageStatus(row.status),
    )


def _texts(stored: Sequence[Any]) -> tuple[str, ...]:
    """What components said of files, as the texts that were asked of them."""
    return tuple(file if isinstance(file, str) else dump_json(file) for file in stored)
