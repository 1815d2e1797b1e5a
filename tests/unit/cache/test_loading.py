"""CACHE-5: the bounds of loading: loaders that never end, and keys whose source is down."""

import asyncio

import pytest

from bedplate.services.cache import CacheService, LoadTimeoutError, TooManyHungLoadsError, flights, loading
from bedplate.wiring.testing.cache.harness import one
from bedplate.wiring.testing.cache.loads import Gate
from bedplate.wiring.testing.cache.stale import Stubborn


async def test_loaders_that_never_end_are_bounded(cache: CacheService, monkeypatch: pytest.MonkeyPatch) -> None:
    """CACHE-5: beyond that many, no other is begun until one of them ends; values that are there are answered."""
    monkeypatch.setattr(flights, "MAX_HUNG", 3)
    await cache.set("there", 1)
    stubborn = [Stubborn() for _ in range(3)]
    for number, loader in enumerate(stubborn):
        with pytest.raises(LoadTimeoutError):
            await cache.get_or_set(f"k{number}", loader.load, hard_timeout=0.001)
    with pytest.raises(TooManyHungLoadsError, match="3 loaders"):
        await cache.get_or_set("another", one)
    assert await cache.get_or_set("there", one) == 1
    stubborn[0].open.set()
    while not stubborn[0].ended:  # noqa: ASYNC110 - the end of a task that nobody waits for is no event
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await cache.get_or_set("another", one) == 1
    for loader in stubborn:
        loader.open.set()


async def test_keys_whose_source_is_down_are_bounded(cache: CacheService, monkeypatch: pytest.MonkeyPatch) -> None:
    """CACHE-5: those that failed longest ago are tried again first."""
    monkeypatch.setattr(loading, "MAX_RESTING", 5)
    down = Gate(error=ConnectionError("down"), opened=True)
    for number in range(20):
        key = f"k{number}"
        await cache.get_or_set(key, one, 0.001, stale_if_error=3_600)
        await asyncio.sleep(0.002)
        assert await cache.get_or_set(key, down.load, 60, stale_if_error=3_600) == 1
    assert len(cache._loading._resting) == 5
