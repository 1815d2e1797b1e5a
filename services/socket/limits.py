"""How much a client may send."""

import time
from collections.abc import Callable

__all__ = ["TokenBucket"]


class TokenBucket:
    """So many units a second on average, and so many at once.

    Args:
        rate: Units that come back in a second.
        burst: Most units that can be taken at once.
        clock: Seconds.
    """

    __slots__ = ("_at", "_burst", "_clock", "_left", "_rate")

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at = clock()

    def take(self, units: float = 1.0) -> float:
        """Take units; returns 0, or the seconds after which there will be enough, with nothing taken."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left >= units:
            self._left -= units
            return 0.0
        return (units - self._left) / self._rate
