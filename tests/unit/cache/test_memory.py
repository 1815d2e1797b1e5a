"""The memory backend: what only it can get wrong."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from bedplate.services.cache.backend import Counts, Limits, Terms
from bedplate.services.cache.codec import Codec
from bedplate.services.cache.memory import MemoryBackend
from bedplate.services.cache.models import MISS, Item
from bedplate.wiring.testing.cache import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100.0)


def build(clock: ManualClock, entries: int = 10_000, size: int = 1_000_000) -> MemoryBackend:
    return MemoryBackend(Limits(entries=entries, bytes=size), Codec().decode, clock=clock)


def item(value: Any) -> Item:
    return Codec().encode(value)


def lasting(seconds: float, **terms: Any) -> Terms:
    return Terms(lifetime=seconds, **terms)


async def absent(_key: str) -> object:
    return MISS


class Blob:
    """A value that a weak reference can follow."""


async def test_nothing_waits_so_that_everything_is_atomic(clock: ManualClock) -> None:
    """CACHE-1: no method of the backend suspends."""
    backend = build(clock)
    reader = backend.reader("n", Counts(), absent)
    for call in (
        backend.put("n", {"a": item([1])}, lasting(10)),
        reader("a"),
        backend.update("n", "a", lambda old: item([2]), lasting(10), keep=False),
        backend.get("n", ["a"]),
        backend.stale("n", "a"),
        backend.moment("n", ["t"]),
        backend.invalidate("n", ["t"]),
        backend.touch("n", "a", 5),
        backend.left("n", "a"),
        backend.delete("n", "a"),
        backend.clear("n"),
        backend.purge(),
    ):
        with pytest.raises(StopIteration):
            call.send(None)


async def test_schedule_of_expiry_does_not_grow_with_writes(clock: ManualClock) -> None:
    """CACHE-3: overwriting, touching and deleting one key for ever takes no more memory than the key."""
    backend = build(clock)
    for number in range(10_000):
        await backend.put("n", {"a": item(number)}, lasting(1_000))
        await backend.touch("n", "a", 2_000)
        if number % 3 == 0:
            await backend.delete("n", "a")
    assert len(backend._due) <= 100
    clock.now += 3_000
    assert await backend.purge() <= 1
    assert backend.usage()["n"] == (0, 0)


@pytest.mark.parametrize("how", ["overwrite", "delete", "clear", "evict", "stop"])
async def test_a_removed_value_is_let_go(clock: ManualClock, how: str) -> None:
    """CACHE-3: the bound of bytes holds for what is really in memory: no list of times keeps a removed value alive."""
    backend = build(clock, entries=2)
    blob = Blob()
    gone = weakref.ref(blob)
    await backend.put("n", {"a": Item(b"x", scalar=blob)}, lasting(1_000))
    await backend.put("n", {"b": item(1)}, lasting(1_000))
    del blob
    match how:
        case "overwrite":
            await backend.put("n", {"a": item(1)}, lasting(1_000))
        case "delete":
            await backend.delete("n", "a")
        case "clear":
            await backend.clear("n")
        case "stop":
            await backend.stop()
        case _:
            await backend.put("n", {"c": item(1)}, lasting(1_000))
    gc.collect()
    assert gone() is None


async def test_totals_stay_right_through_everything(clock: ManualClock) -> None:
    """CACHE-3: after any mix of operations the counted entries and bytes are the real ones."""
    backend = build(clock, entries=20, size=2_000)

    def change(old: Item | None) -> Item:
        return item([1] if old is None else [2, 3])

    for number in range(3_000):
        name, key = f"n{number % 3}", f"k{number * 7 % 31}"
        match number % 7:
            case 0 | 1 | 2:
                terms = lasting(
                    number % 11 + 1, grace=number % 5, tags=(f"t{number % 4}", f"u{number % 9}")[: number % 3]
                )
                await backend.put(name, {key: item("x" * (number % 90))}, terms)
            case 3:
                await backend.update(name, key, change, lasting(5, tags=("v",)), keep=True)
            case 4 if number % 5 == 0:
                await backend.invalidate(name, [f"t{number % 4}", "v"])
            case 4:
                await backend.delete(name, key)
                await backend.stale(name, key)
            case 5:
                clock.now += 0.3
                await backend.get(name, [key])
            case _:
                await (backend.purge() if number % 2 else backend.clear(name) if number % 70 == 6 else backend.purge())
        shelves = backend._shelves.values()
        assert backend._entries == sum(len(shelf.entries) for shelf in shelves) <= 20
        assert backend._bytes == sum(shelf.bytes for shelf in shelves) <= 2_000
        assert all(shelf.bytes == sum(entry.cost for entry in shelf.entries.values()) for shelf in shelves)
        for shelf in shelves:
            for tag in shelf.tags.values():
                assert tag.entries <= set(shelf.entries.values())


async def test_the_reader_counts_hits_and_tells_of_misses(clock: ManualClock) -> None:
    """CACHE-7: on the hot path too."""
    backend, counts, missed = build(clock), Counts(), list[str]()

    async def note(key: str) -> object:
        missed.append(key)
        return MISS

    read = backend.reader("n", counts, note)
    await backend.put("n", {"a": item([1])}, lasting(10))
    assert await read("a") == [1]
    assert await read("b") is MISS
    clock.now += 10
    assert await read("a") is MISS
    assert (counts.hits, missed) == (1, ["b", "a"])
    assert backend.usage()["n"] == (0, 0)


async def test_a_value_expires_at_its_time_and_not_before(clock: ManualClock) -> None:
    backend = build(clock)
    read = backend.reader("n", Counts(), absent)
    await backend.put("n", {"a": item(1)}, lasting(10))
    clock.now += 9.999
    assert await read("a") == 1
    clock.now += 0.001
    assert await read("a") is MISS


async def test_thousands_of_tasks_at_once(clock: ManualClock) -> None:
    backend = build(clock, entries=50)

    async def work(number: int) -> None:
        for step in range(5):
            await backend.put("n", {f"k{(number + step) % 100}": item([number])}, lasting(10))
            await asyncio.sleep(0)
            await backend.get("n", [f"k{number % 100}"])

    await asyncio.gather(*(work(number) for number in range(1_000)))
    assert backend.usage()["n"].entries == 50


async def test_tags_take_no_memory_that_values_do_not(clock: ManualClock) -> None:
    """CACHE-5: a tag that no value has any more is forgotten; what is invalidated makes room before what is live."""
    backend = build(clock, entries=10)
    for number in range(1_000):
        await backend.put("n", {f"k{number}": item(number)}, lasting(10, tags=(f"t{number}", "all")))
        await backend.moment("n", [f"never {number}"])
    gc.collect()
    assert len(backend._shelf("n").tags) == 11
    await backend.put("n", {"live": item(1)}, lasting(10))
    await backend.invalidate("n", ["all"])
    evicted = backend.evictions["n"]
    await backend.put("n", {f"new {number}": item(number) for number in range(9)}, lasting(10))
    assert (await backend.get("n", ["live"])).keys() == {"live"}
    assert backend.evictions["n"] == evicted
    gc.collect()
    assert not backend._shelf("n").tags


async def test_an_invalidation_costs_the_same_for_any_number_of_values(clock: ManualClock) -> None:
    """CACHE-5: it looks at no entry."""
    backend = build(clock)
    await backend.put("n", {f"k{number}": item(number) for number in range(5_000)}, lasting(10, tags=("t",)))
    steps = 0

    def trace(frame: Any, event: str, arg: object) -> Any:
        nonlocal steps
        steps += 1
        return trace

    import sys

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        await backend.invalidate("n", ["t"])
    finally:
        sys.settrace(before)
    assert 0 < steps < 100
    assert await backend.get("n", ["k7"]) == {}
