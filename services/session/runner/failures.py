"""What the error of a vertex, or of a request, becomes for those who read the events of a run."""

import asyncio
import traceback

from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.session.runner.errors import VertexError
from bedplate.services.session.runner.events import RunFailed

__all__ = ["failure"]

_log = get_logger("bedplate.session")


def failure(error: BaseException, vertex_id: str | None) -> RunFailed:
    """The event that an error becomes; of a foreign one only the type is shown, for its text may hold anything."""
    if isinstance(error, VertexError):
        vertex_id = error.node_id
    if isinstance(error, BedplateError):
        return RunFailed(code=error.code, message=error.what, vertex_id=vertex_id, fix=error.fix)
    if not isinstance(error, Exception | asyncio.CancelledError):
        raise error
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else None
    _log.error("a component failed", vertex_id=vertex_id, error=type(error).__name__, where=where)
    return RunFailed(
        code="component_failed",
        message=f"the component of the node {vertex_id!r} failed with {type(error).__name__}",
        vertex_id=vertex_id,
        fix="look for 'a component failed' in the log",
    )
