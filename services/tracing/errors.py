"""What can go wrong in reading runs; recording them never raises."""

from bedplate.services.errors import NotFoundError
from bedplate.services.schema import ServiceType

__all__ = ["TraceNotFoundError"]


class TraceNotFoundError(NotFoundError):
    """There is no such run, or it is somebody else's."""

    code = "trace_not_found"

    def __init__(self) -> None:
        super().__init__("Trace not found", service=ServiceType.TRACING, fix="list your runs to see their ids")
