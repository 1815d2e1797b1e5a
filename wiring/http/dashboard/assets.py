"""Scripts and styles: a fixed list of files, kept by browsers for good under a name that changes with the content."""

import functools
import gzip
import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["asset", "asset_path"]

_FILES = {
    "dashboard.css": "dashboard.css",
    "dashboard.js": "dashboard.js",
    "theme.js": "theme.js",
    "icon.svg": "icon.svg",
    "htmx.js": "vendor/htmx-2.0.11.min.js",
    "sse.js": "vendor/htmx-ext-sse-2.2.4.min.js",
    "uplot.js": "vendor/uplot-1.6.32.min.js",
    "uplot.css": "vendor/uplot-1.6.32.min.css",
}
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@functools.cache
def _content(name: str) -> tuple[bytes, bytes, str]:
    """A file, the same compressed, and what tells it from other versions."""
    plain = (files("bedplate.wiring.http.dashboard") / "static" / _FILES[name]).read_bytes()
    return plain, gzip.compress(plain, 9, mtime=0), hashlib.sha256(plain).hexdigest()[:12]


def asset_path(name: str) -> str:
    """Where a file is, below the dashboard."""
    return f"/dashboard/static/{name}?v={_content(name)[2]}"


async def asset(request: Request) -> Response:
    """One of the files; 404 for any other name."""
    name = request.path_params["name"]
    if name not in _FILES:
        return Response(status_code=404)
    plain, compressed, version = _content(name)
    kept = "public, max-age=31536000, immutable" if request.query_params.get("v") == version else "no-cache"
    headers = {"Cache-Control": kept, "ETag": f'"{version}"', "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content = plain
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = compressed, "gzip"
    media_type = f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    return Response(content, media_type=media_type, headers=headers)
