"""Server-sent events (WHATWG HTML, section 9.2), as far as streaming APIs use them."""

import codecs
from collections.abc import AsyncGenerator, AsyncIterable

__all__ = ["EventTooLargeError", "events"]


class EventTooLargeError(Exception):
    """One event is larger than allowed."""


async def events(chunks: AsyncIterable[bytes], max_bytes: int) -> AsyncGenerator[str, None]:
    """The data of each event, in order; comments and other fields are left out.

    Args:
        chunks: The body of the response, cut anywhere.
        max_bytes: Most bytes of one event.

    Raises:
        EventTooLargeError: An event is larger.
        UnicodeDecodeError: The body is not UTF-8.
    """
    decode = codecs.getincrementaldecoder("utf-8")().decode
    data: list[str] = []
    pending, size = "", 0
    async for chunk in chunks:
        # A carriage return at the end may be the first half of a line end.
        text = pending + decode(chunk)
        held = "\r" if text.endswith("\r") else ""
        *lines, pending = text.removesuffix(held).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        pending += held
        for line in lines:
            if not line:
                if data:
                    yield "\n".join(data)
                data, size = [], 0
            elif line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
                size += len(line)
        if size + len(pending) > max_bytes:
            raise EventTooLargeError
    if data:
        yield "\n".join(data)
