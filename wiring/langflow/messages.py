"""Chat messages."""

import uuid
from typing import Any

from bedplate.services.chat import NewMessage
from bedplate.services.chat.validation import checked_message
from bedplate.services.database.models import MessageRow, utc_now
from bedplate.services.errors import BedplateError
from bedplate.wiring.langflow.errors import UnusableError
from bedplate.wiring.langflow.source import LangflowSource
from bedplate.wiring.langflow.target import CHUNK, Target
from bedplate.wiring.langflow.values import SourceRow

__all__ = ["carry_messages"]


async def carry_messages(source: LangflowSource, target: Target) -> None:
    """Carry messages over: they have no owner there, and belong to the owner of their flow here."""
    chunk: dict[uuid.UUID, MessageRow] = {}
    async for row in source.rows("message"):
        key = row.id()
        try:
            chunk[key] = _message(row, target)
        except BedplateError as error:
            target.report.left_out("message", key, "", error.what)
        if len(chunk) == CHUNK:
            await _store(chunk, target)
            chunk = {}
    await _store(chunk, target)


async def _store(chunk: dict[uuid.UUID, MessageRow], target: Target) -> None:
    here = await target.owned(MessageRow, chunk)
    for key, owner in here.items():
        if owner == chunk.pop(key).user_id:
            target.report.present("message")
        else:
            target.report.left_out("message", key, "", "its id is taken by a row of another user")
    await target.insert(list(chunk.values()))
    for _ in chunk:
        target.report.carried("message")


def _message(row: SourceRow, target: Target) -> MessageRow:
    flow_id = row.id_or_none("flow_id")
    if flow_id is None:
        raise UnusableError("it belongs to no flow, so nobody can be said to own it")
    if (owner := target.flows.get(flow_id)) is None:
        raise UnusableError("its flow was left out, or is not there")
    made = row.time("timestamp") or utc_now()
    message = checked_message(
        NewMessage(
            session_id=row.text("session_id"),
            sender=row.text("sender"),
            sender_name=row.text("sender_name"),
            text=row.text("text"),
            files=tuple(str(path) for path in row.list("files")),
            properties=row.object("properties") or {},
            content_blocks=tuple(_block(block) for block in row.list("content_blocks")),
            category=row.text("category") or "message",
        ),
        target.settings.chat,
    )
    return MessageRow(
        id=row.id(),
        user_id=owner,
        flow_id=flow_id,
        session_id=message.session_id,
        timestamp=made,
        sender=message.sender,
        sender_name=message.sender_name,
        text=message.text,
        files=list(message.files),
        error=row.flag("error"),
        edit=row.flag("edit"),
        properties=message.properties,
        category=message.category,
        content_blocks=list(message.content_blocks),
    )


def _block(value: Any) -> dict[str, Any]:
    """A content block, which some releases wrote as the text of its JSON."""
    return SourceRow({"content_blocks": value}).object("content_blocks") or {}
