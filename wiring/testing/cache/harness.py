"""What the suite needs of the backend that it is run against."""

from typing import Any, ClassVar, Protocol

import pytest

from bedplate.services.cache import CacheService
from bedplate.wiring.testing.suite import Suite

__all__ = ["CacheHarness", "Capabilities", "ManualClock", "one"]


class ManualClock:
    """A clock that stands still until its ``now`` is changed."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class CacheHarness(Protocol):
    """How the suite comes by caches, and how it makes time pass."""

    async def cache(self, **settings: Any) -> CacheService:
        """A started cache with these settings of the cache group.

        A second one finds what a first one kept that is stopped, if its backend survives that.
        """
        ...

    async def advance(self, seconds: float) -> None:
        """Let time pass for the caches made so far."""
        ...


class Capabilities(Suite):
    """What a backend can do; a part of the suite that asks for more is skipped, by name.

    Attributes:
        survives_restart: Whether a second cache finds what the first one kept.
        shared: Whether two caches that run at once see each other's values.
        bounded: Whether the backend keeps to ``max_entries`` and ``max_bytes`` itself.
        counts_expired: Whether ``purge`` knows how much has expired; not where a server removes it by itself.
    """

    survives_restart: ClassVar[bool] = False
    shared: ClassVar[bool] = False
    bounded: ClassVar[bool] = True
    counts_expired: ClassVar[bool] = True

    @pytest.fixture
    async def cache(self, harness: CacheHarness) -> CacheService:
        """A cache without jitter, so that times are exact."""
        return await harness.cache(ttl_jitter=0)

    @pytest.fixture
    async def patient(self, harness: CacheHarness) -> CacheService:
        """A cache that tries again at once after a failed load."""
        return await harness.cache(ttl_jitter=0, retry_interval=0)


async def one() -> int:
    """A loader."""
    return 1
