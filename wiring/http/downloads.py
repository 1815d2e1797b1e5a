"""Answers that are files."""

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

from fastapi.responses import Response, StreamingResponse

from bedplate.services.storage import FileReader

__all__ = ["attachment", "bytes_response", "file_response", "inline_image", "zip_response"]

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


def file_response(file: FileReader, filename: str) -> StreamingResponse:
    """A stored file to save under a name."""
    return _response(file, "application/octet-stream", attachment(filename))


def inline_image(file: FileReader) -> StreamingResponse:
    """A stored image to show, if it is of a kind that can only be looked at; any other to save."""
    if file.info.content_type in _RASTER:
        return _response(file, file.info.content_type, "inline")
    return _response(file, "application/octet-stream", attachment(file.info.name))


def zip_response(body: AsyncIterator[bytes], filename: str) -> StreamingResponse:
    """An archive to save under a name."""
    headers = {**_SAFE, "Content-Disposition": attachment(filename)}
    return StreamingResponse(body, media_type="application/x-zip-compressed", headers=headers)


def bytes_response(body: bytes, filename: str) -> Response:
    """A whole archive to save under a name."""
    headers = {**_SAFE, "Content-Disposition": attachment(filename)}
    return Response(body, media_type="application/x-zip-compressed", headers=headers)


def _response(file: FileReader, kind: str, disposition: str) -> StreamingResponse:
    headers = {
        **_SAFE,
        "Content-Disposition": disposition,
        "Content-Length": str(file.info.size),
        "ETag": file.info.etag,
    }
    return StreamingResponse(_chunks(file), media_type=kind, headers=headers)


async def _chunks(file: FileReader) -> AsyncIterator[bytes]:
    async with file:
        async for chunk in file:
            yield chunk
