"""How many attempts an address makes, counted in this process."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

__all__ = ["AttemptCounter", "Rate"]

MAX_KEYS = 10_000
"""Keys that are watched at once; of more, those that came longest ago are let off."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempts are too many.

    Attributes:
        attempts: Those that are let through in a period.
        period: Its seconds; it begins with the first of them.
    """

    attempts: int
    period: float


class AttemptCounter:
    """Counts attempts by key, each period from its first attempt on.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._periods: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._periods)

    def hit(self, key: str, rate: Rate) -> float:
        """Count an attempt; seconds to wait if it is one too many, else 0."""
        now = self._clock()
        ends, hits = self._periods.get(key, (-math.inf, 0))
        if ends <= now:
            ends, hits = now + rate.period, 0
        self._periods[key] = (ends, hits + 1)
        self._periods.move_to_end(key)
        if len(self._periods) > MAX_KEYS:
            self._periods.popitem(last=False)
        return ends - now if hits >= rate.attempts else 0.0
