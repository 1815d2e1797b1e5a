"""Uploads, read as they come: nothing of a file is kept in memory or in a temporary place on its way."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from bedplate.services.errors import InvalidInputError, TooLargeError

__all__ = ["UPLOAD_BODY", "UploadedFile", "read_upload", "uploaded_file"]

UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
                }
            }
        },
    }
}
"""What the OpenAPI document says of a route that takes a file."""

_FIELD = b"file"


class UploadedFile:
    """The file of an upload: iterate over its chunks, once.

    The iteration ends when the whole body has come and is sound, not before: whoever saves the file until then saves
    no half of one.

    Attributes:
        filename: What the client calls it; any text.
    """

    def __init__(self, filename: str, events: "AsyncIterator[_Event]") -> None:
        self.filename = filename
        self._events = events

    async def __aiter__(self) -> AsyncIterator[bytes]:
        wanted = True
        async for kind, value in self._events:
            if kind == "end":
                wanted = False
            elif kind == "data" and wanted:
                yield value


@asynccontextmanager
async def uploaded_file(request: Request) -> AsyncIterator[UploadedFile]:
    """The file in the field ``file`` of a body of type ``multipart/form-data`` (RFC 7578).

    Raises:
        RequestValidationError: There is no such field, or it is no file.
        InvalidInputError: The body is broken, or ends early; within the block, by the iteration.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise _missing()
    async with aclosing(_events(request, options[b"boundary"])) as events:
        async for event, value in events:
            if event == "begin" and (filename := _filename(value)) is not None:
                if not filename:
                    raise InvalidInputError("No file provided", service="storage", fix="send a file with a name")
                yield UploadedFile(filename, events)
                return
        raise _missing()


async def read_upload(request: Request, max_bytes: int) -> tuple[str, bytes]:
    """Name and content of a small file.

    Raises:
        TooLargeError: It has more than ``max_bytes``.
    """
    content = bytearray()
    async with uploaded_file(request) as file:
        async for chunk in file:
            content += chunk
            if len(content) > max_bytes:
                raise TooLargeError(f"the file has more than {max_bytes} bytes", service="storage", fix="split it")
        return file.filename, bytes(content)


_Event = tuple[str, Any]


class _Collector:
    """Turns the calls of the parser into events: begin (with the headers of a part), data, end, and finished."""

    def __init__(self, boundary: bytes) -> None:
        self.events: list[_Event] = []
        self.finished = False
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers_begin,
                "on_header_field": self._adder("_name"),
                "on_header_value": self._adder("_value"),
                "on_header_end": self._header_end,
                "on_headers_finished": lambda: self.events.append(("begin", self._headers)),
                "on_part_data": lambda data, start, end: self.events.append(("data", bytes(data[start:end]))),
                "on_part_end": lambda: self.events.append(("end", None)),
                "on_end": self._end,
            },
        )

    def _headers_begin(self) -> None:
        self._headers = {}

    def _adder(self, attribute: str) -> Callable[[bytes, int, int], None]:
        def add(data: bytes, start: int, end: int) -> None:
            setattr(self, attribute, getattr(self, attribute) + data[start:end])

        return add

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _end(self) -> None:
        self.finished = True


async def _events(request: Request, boundary: bytes) -> AsyncGenerator[_Event, None]:
    collector = _Collector(boundary)
    try:
        async for chunk in request.stream():
            collector.parser.write(chunk)
            events, collector.events = collector.events, []
            for event in events:
                yield event
    except FormParserError:
        raise InvalidInputError("the upload is not multipart/form-data", service="storage", fix=_FIX) from None
    except ClientDisconnect:
        raise _ends_early() from None
    if not collector.finished:
        raise _ends_early()


_FIX = "send it as multipart/form-data with one file in the field 'file'"


def _ends_early() -> InvalidInputError:
    return InvalidInputError("the upload ends early; nothing of it is kept", service="storage", fix="send it again")


def _missing() -> RequestValidationError:
    return RequestValidationError([{"type": "missing", "loc": ("body", "file"), "msg": "Field required"}])


def _filename(headers: dict[bytes, bytes]) -> str | None:
    """The name of the file, if these are the headers of the one that is wanted."""
    _, options = parse_options_header(headers.get(b"content-disposition", b""))
    if options.get(b"name") != _FIELD or b"filename" not in options:
        return None
    return options[b"filename"].decode(errors="replace")
