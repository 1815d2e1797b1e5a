"""Answers that FastAPI does not make by itself."""

import gzip
from typing import Any

from fastapi import Response
from pydantic import TypeAdapter

__all__ = ["gzip_json"]

_LEVEL = 4
"""Above this, a flow document shrinks by a few per cent more and takes twice the time."""


def gzip_json(adapter: TypeAdapter[Any], value: Any) -> Response:
    """``value`` as compressed JSON, whatever ``Accept-Encoding`` says: existing clients count on it here.

    Args:
        adapter: The type that the answer declares.
        value: What to answer.
    """
    body = gzip.compress(adapter.dump_json(value), compresslevel=_LEVEL, mtime=0)
    return Response(body, media_type="application/json", headers={"Content-Encoding": "gzip"})
