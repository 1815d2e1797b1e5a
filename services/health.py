"""What a service says of its own state."""

from enum import StrEnum

import msgspec

__all__ = ["Health", "HealthStatus"]


class HealthStatus(StrEnum):
    """How well a service works: ``degraded`` still answers, with something missing."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of :meth:`bedplate.services.base.Service.health`.

    Attributes:
        status: Up, degraded or down.
        reason: Why it is not up, for operators; None when it is.
        latency_ms: How long the check took, in milliseconds.
    """

    status: HealthStatus
    reason: str | None = None
    latency_ms: float = 0.0
