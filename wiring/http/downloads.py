"""Answers that are files."""

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from bedplate.services.storage import FileRangeError, FileReader
from bedplate.wiring.http.conditions import Decision, decide, http_date, range_of
from bedplate.wiring.http.errors import problem

__all__ = [
    "DOWNLOADS",
    "attachment",
    "bytes_response",
    "document_response",
    "file_response",
    "inline_image",
    "zip_response",
]

DOWNLOADS: dict[int | str, dict[str, Any]] = {
    206: {"description": "The part of the file that the header Range asks for"},
    304: {"description": "The version of the file that the caller has is the present one"},
    412: {"description": "The file is not the version that the caller asks for"},
    416: {"description": "The part that is asked for is not within the file"},
}
"""What the OpenAPI document says of a route that answers with a stored file."""

_RASTER = frozenset(
    {"image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/vnd.microsoft.icon", "image/webp"}
)
"""Images that cannot hold a script; all else that came from a user is never shown as a page of this origin."""

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9!#$&+.^_`|~ ()-]")
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-cache",
}


def attachment(filename: str) -> str:
    """A ``Content-Disposition`` that saves under this name, whatever characters it has (RFC 6266, 4.3)."""
    plain = _NOT_PLAIN.sub("_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def file_response(request: Request, file: FileReader, filename: str) -> Response:
    """A stored file to save under a name, as far as the conditions and the range of the request ask for it."""
    return _response(request, file, "application/octet-stream", attachment(filename))


def inline_image(request: Request, file: FileReader, filename: str | None = None) -> Response:
    """A stored image to show, if it is of a kind that can only be looked at; any other file to save."""
    if file.info.content_type in _RASTER:
        return _response(request, file, file.info.content_type, "inline")
    return _response(request, file, "application/octet-stream", attachment(filename or file.info.name))


def document_response(body: AsyncIterator[bytes], media_type: str, filename: str) -> StreamingResponse:
    """A document to save under a name, written while it is sent."""
    headers = {**_SAFE, "Content-Disposition": attachment(filename)}
    return StreamingResponse(body, media_type=media_type, headers=headers)


def zip_response(body: AsyncIterator[bytes], filename: str) -> StreamingResponse:
    """An archive to save under a name."""
    return document_response(body, "application/x-zip-compressed", filename)


def bytes_response(body: bytes, filename: str) -> Response:
    """A whole archive to save under a name."""
    headers = {**_SAFE, "Content-Disposition": attachment(filename)}
    return Response(body, media_type="application/x-zip-compressed", headers=headers)


def _response(request: Request, file: FileReader, kind: str, disposition: str) -> Response:
    headers = {
        **_SAFE,
        "Accept-Ranges": "bytes",
        "ETag": file.info.etag,
        "Last-Modified": http_date(file.info.modified_at),
    }
    decision = decide(request.headers, file.info)
    if decision is not Decision.PROCEED:
        file.close()
        if decision is Decision.NOT_MODIFIED:
            return Response(status_code=304, headers=headers)
        detail = "the file is not the version that the request asks for"
        return problem(request.url.path, 412, detail, code="file_changed", headers=headers)
    size, part, status = file.info.size, range_of(request.headers, file.info), 200
    length = size
    if part is not None:
        start, end = part[0], size if part[1] is None else min(part[1], size)
        if start >= size:
            file.close()
            error = FileRangeError(start, part[1], size)
            headers["Content-Range"] = f"bytes */{size}"
            return problem(request.url.path, 416, error.what, code=error.code, headers=headers)
        file.select(start, end)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        status, length = 206, end - start
    headers |= {"Content-Disposition": disposition, "Content-Length": str(length)}
    return StreamingResponse(_chunks(file), status_code=status, media_type=kind, headers=headers)


async def _chunks(file: FileReader) -> AsyncIterator[bytes]:
    async with file:
        async for chunk in file:
            yield chunk
