"""What ``get_or_set`` does about values whose time is over, and about loaders that are slow or fail."""

from datetime import timedelta
from typing import TypedDict

import msgspec

__all__ = ["LoadOptions", "LoadPolicy"]


class LoadOptions(TypedDict, total=False):
    """Options of ``get_or_set``, in seconds or as a ``timedelta``; what is left out, or None, is as the settings say.

    Attributes:
        stale_while_revalidate: For so long after its time to live, a value is answered at once, while one load in the
            background makes a new one (RFC 5861, 3).
        stale_if_error: For so long after its time to live, a value is answered where loading a new one fails or takes
            too long (RFC 5861, 4). For a moment after a failure, it is answered without another load.
        soft_timeout: After so long, a value within ``stale_if_error`` is answered while the load goes on; 0: the load
            is waited for.
        hard_timeout: So long a load may take, and a caller waits for one; 0: without an end.
    """

    stale_while_revalidate: float | timedelta | None
    stale_if_error: float | timedelta | None
    soft_timeout: float | timedelta | None
    hard_timeout: float | timedelta | None


class LoadPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one call, checked, in seconds.

    Attributes:
        revalidate: Most seconds by which a value that is answered at once may be late.
        on_error: Most seconds by which a value that is answered instead of an error may be late.
        soft: Seconds until a stale value is answered; None: never.
        hard: Seconds until a load is given up; None: never.
    """

    revalidate: float
    on_error: float
    soft: float | None
    hard: float | None

    @property
    def grace(self) -> float:
        """Seconds for which a value has to be kept after its time."""
        return max(self.revalidate, self.on_error)
