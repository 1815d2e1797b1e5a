"""SCC-3: live objects are made once, lent, bounded, and closed in the end."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from bedplate.services.errors import UnavailableError
from bedplate.services.shared_component_cache import (
    ObjectClosedError,
    SharedComponentCacheService,
    TooManyObjectsError,
)
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cancellation import cancel_at_every_await, cancelled_at

ADA, EVE = uuid.uuid4(), uuid.uuid4()


class Client:
    """A live object that knows whether it is closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = 0

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1


class Factory:
    """Makes clients, and keeps those that it made."""

    def __init__(self) -> None:
        self.made: list[Client] = []
        self.error: Exception | None = None

    def __call__(self, name: str = "") -> Callable[[], Any]:
        async def make() -> Client:
            await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
            self.made.append(Client(name))
            return self.made[-1]

        return make

    def open(self) -> list[str]:
        return [client.name for client in self.made if not client.closed]


@pytest.fixture
def factory() -> Factory:
    return Factory()


@pytest.fixture
async def lender(components: SharedComponentCacheService) -> SharedComponentCacheService:
    await components.start()
    return components


async def _touch(lender: SharedComponentCacheService, factory: Factory, owner: uuid.UUID | None, key: str) -> Client:
    async with lender.shared(owner, key, factory(key)) as client:
        assert not client.closed
        made: Client = client
    return made


async def test_an_object_is_made_once_for_its_owner(lender: SharedComponentCacheService, factory: Factory) -> None:
    """SCC-3: for any number of callers at once, and those after them; another owner gets another."""
    first = await asyncio.gather(*(_touch(lender, factory, ADA, "a") for _ in range(100)))
    assert len({id(client) for client in first}) == len(factory.made) == 1
    assert await _touch(lender, factory, ADA, "a") is first[0]
    assert await _touch(lender, factory, EVE, "a") is not first[0]
    assert await _touch(lender, factory, None, "a") is not first[0]
    assert await _touch(lender, factory, ADA, "b") is not first[0]
    assert factory.open() == ["a", "a", "a", "b"]


async def test_the_least_recently_used_are_closed_to_make_room(
    lender: SharedComponentCacheService, factory: Factory, telemetry: TelemetryService
) -> None:
    """SCC-3: first those of an owner who has too many, then those of anybody."""
    for key in "abac":
        await _touch(lender, factory, ADA, key)
    await _touch(lender, factory, ADA, "d")
    assert factory.open() == ["a", "c", "d"]
    await _touch(lender, factory, EVE, "e")
    await _touch(lender, factory, None, "f")
    assert factory.open() == ["c", "d", "e", "f"]
    text = telemetry.exposition().decode()
    assert "bedplate_shared_component_cache_objects 4.0" in text
    assert "bedplate_shared_component_cache_objects_made_total 6.0" in text
    assert "bedplate_shared_component_cache_objects_evicted_total 2.0" in text


async def test_what_is_in_use_is_not_closed(lender: SharedComponentCacheService, factory: Factory) -> None:
    """SCC-3: room is made of what is idle; where everything is in use, the next one is refused."""
    async with (
        lender.shared(ADA, "a", factory("a")) as a,
        lender.shared(ADA, "b", factory("b")),
        lender.shared(ADA, "c", factory("c")),
    ):
        with pytest.raises(TooManyObjectsError, match="MAX_OBJECTS_PER_USER"):
            await _touch(lender, factory, ADA, "d")
        async with lender.shared(EVE, "e", factory("e")):
            with pytest.raises(TooManyObjectsError, match=r"MAX_OBJECTS$"):
                await _touch(lender, factory, None, "f")
        await _touch(lender, factory, None, "f")
        assert factory.open() == ["a", "b", "c", "f"]
        assert await _touch(lender, factory, ADA, "a") is a
    await _touch(lender, factory, ADA, "d")
    assert factory.open() == ["a", "c", "f", "d"]


async def test_a_discarded_object_is_closed_when_its_last_user_is_done(
    lender: SharedComponentCacheService, factory: Factory
) -> None:
    """SCC-3: while the next caller gets a new one; those of other owners stay."""
    other = await _touch(lender, factory, EVE, "a")
    async with lender.shared(ADA, "a", factory("old")) as old:
        assert await lender.discard(ADA, "a") == 1
        async with lender.shared(ADA, "a", factory("new")) as new:
            assert new is not old
        assert not old.closed
    await _touch(lender, factory, ADA, "b")
    assert old.closed == 1
    assert await lender.discard(ADA) == 2
    assert (old.closed, new.closed, other.closed) == (1, 1, 0)
    assert await lender.discard(ADA) == 0


async def test_a_failure_is_told_to_all_who_wait_and_not_kept(
    lender: SharedComponentCacheService, factory: Factory
) -> None:
    """SCC-3: the next caller makes it anew."""
    factory.error = ConnectionError("down")
    calls = [_touch(lender, factory, ADA, "a") for _ in range(10)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, ConnectionError) for outcome in outcomes)
    factory.error = None
    assert (await _touch(lender, factory, ADA, "a")).name == "a"


async def test_a_cancelled_caller_harms_nobody(lender: SharedComponentCacheService, factory: Factory) -> None:
    """SCC-3: others who wait get the object; the last to leave takes the making of it along."""
    for step in range(1, 6):
        unlucky = asyncio.create_task(cancelled_at({step}, _touch(lender, factory, ADA, f"k{step}")))
        lucky = asyncio.create_task(_touch(lender, factory, ADA, f"k{step}"))
        assert (await lucky).name == f"k{step}"
        await asyncio.wait([unlucky])
    started, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> Client:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async def wait() -> None:
        async with lender.shared(EVE, "endless", endless):
            pass

    waiting = [asyncio.create_task(wait()) for _ in range(3)]
    await started.wait()
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    await ended.wait()
    assert (await _touch(lender, factory, EVE, "endless")).name == "endless"


async def test_cancelled_anywhere_nothing_is_left_open(lender: SharedComponentCacheService, factory: Factory) -> None:
    """ALL-1: whatever was made is kept or closed, and nothing stays in use."""

    async def work() -> None:
        async with lender.shared(ADA, "a", factory("a")):
            await asyncio.sleep(0)
        await lender.discard(ADA)

    async def check(_cancelled: bool) -> None:
        await lender.discard(ADA)
        for _ in range(5):
            await asyncio.sleep(0)
        assert factory.open() == []

    await cancel_at_every_await(work, check)


async def test_stop_closes_everything(lender: SharedComponentCacheService, factory: Factory) -> None:
    """SCC-3: also what is discarded and still in use, and what is being made; then nothing is lent."""
    await _touch(lender, factory, ADA, "idle")
    held, leave = asyncio.Event(), asyncio.Event()

    async def hold(key: str) -> None:
        async with lender.shared(EVE, key, factory(key)):
            held.set()
            await leave.wait()

    async def endless() -> Client:
        await asyncio.Event().wait()
        raise AssertionError

    async def wait() -> None:
        async with lender.shared(EVE, "endless", endless):
            pass

    holding = asyncio.create_task(hold("in use"))
    await held.wait()
    await lender.discard(EVE, "in use")
    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    await lender.stop()
    assert [client.closed for client in factory.made] == [1, 1]
    with pytest.raises(ObjectClosedError):
        await waiting
    with pytest.raises(UnavailableError):
        lender.shared(ADA, "a", factory("a"))
    leave.set()
    await holding
    assert [client.closed for client in factory.made] == [1, 1]
    await lender.start()
    assert (await _touch(lender, factory, ADA, "idle")).name == "idle"


@pytest.mark.parametrize("how", ["sync", "async", "given", "none", "fails", "hangs"])
async def test_ways_to_close(
    how: str, lender: SharedComponentCacheService, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SCC-3: what an object offers, or what its maker says; one that fails or hangs is logged, and harms nobody."""
    closed: list[str] = []
    monkeypatch.setattr(lender._objects, "_close_timeout", 0.001)

    class Sync:
        def close(self) -> None:
            closed.append("sync")

    class Async:
        async def aclose(self) -> None:
            if how == "fails":
                raise RuntimeError("no")
            if how == "hangs":
                await asyncio.Event().wait()
            closed.append("async")

    kind: Callable[[], Any] = {"sync": Sync, "none": object}.get(how, Async)

    async def make() -> Any:
        return kind()

    close = (lambda made: closed.append("given")) if how == "given" else None
    async with lender.shared(ADA, "a", make, close=close):
        pass
    await lender.discard(ADA)
    assert closed == ([how] if how in ("sync", "async", "given") else [])
    assert ("could not be closed" in caplog.text) is (how in ("fails", "hangs"))
