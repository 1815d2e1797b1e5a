"""Sessions as documents."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC
from enum import StrEnum
from typing import Final

import msgspec

from bedplate.services.chat.models import Message, MessageStatus

__all__ = ["ExportFormat", "exported"]

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")
_VERSION: Final = 1


class ExportFormat(StrEnum):
    """What a session is written as."""

    JSON = "json"
    MARKDOWN = "markdown"


async def exported(
    session_id: str, pages: AsyncGenerator[Sequence[Message], None], form: ExportFormat
) -> AsyncGenerator[bytes, None]:
    """The document in pieces, a page of messages each.

    Args:
        session_id: The session.
        pages: Its messages, oldest first; closed at the end.
        form: What to write.
    """
    first = True
    yield _json_head(session_id) if form is ExportFormat.JSON else f"# {_plain(session_id)}\n".encode()
    async with aclosing(pages):
        async for page in pages:
            if form is ExportFormat.JSON:
                yield (b"" if first else b",\n") + b",\n".join(map(_json, page))
            else:
                yield b"".join(map(_markdown, page))
            first = False
    if form is ExportFormat.JSON:
        yield b"\n]}\n"


def _json_head(session_id: str) -> bytes:
    return b'{"format": %d, "session_id": %s, "messages": [\n' % (_VERSION, msgspec.json.encode(session_id))


def _json(message: Message) -> bytes:
    values = msgspec.structs.asdict(message)
    del values["user_id"]  # of no use elsewhere, and not everybody's
    return msgspec.json.encode(values)


def _markdown(message: Message) -> bytes:
    who = _plain(message.sender_name or message.sender)
    notes = [message.status.value] if message.status is not MessageStatus.COMPLETE else []
    notes += ["error"] if message.error else []
    notes += ["edited"] if message.edit else []
    said = f" ({', '.join(notes)})" if notes else ""
    lines = [f"\n## {who}{said}", "", f"*{message.timestamp.astimezone(UTC).isoformat(timespec='seconds')}*", ""]
    # Quoted, so that no text can pass for the heading of another message.
    lines += [f"> {line}".rstrip() for line in message.text.splitlines()]
    if message.files:
        lines += ["", *(f"- {_plain(file)}" for file in message.files)]
    return ("\n".join(lines) + "\n").encode()


def _plain(text: str) -> str:
    """A text on one line that is shown as it is."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
