"""STATE-2: a subscriber that lags, over a backend whose answers take time."""

import asyncio
from typing import Any

import msgspec
import pytest

from bedplate.services.cache import Item
from bedplate.services.state import ChangeKind, StateChange, Subscription
from bedplate.services.state.subscription import Change

SET, CURRENT = ChangeKind.SET, ChangeKind.CURRENT


class Remote:
    """A value that is read when the test lets it."""

    def __init__(self) -> None:
        self.dropped = 0
        self.reading = asyncio.Event()
        self.answer: asyncio.Future[Change] = asyncio.get_running_loop().create_future()
        self.subscription = Subscription(
            "key",
            current=self._current,
            value=lambda item: msgspec.msgpack.decode(item.data),
            leave=self._leave,
            max_changes=2,
            max_bytes=1000,
            dropped=self._drop,
        )

    def write(self, version: int) -> None:
        self.subscription.push(_change(SET, version))

    async def lag(self) -> "asyncio.Task[StateChange]":
        """Let the subscriber lag behind by the changes 1 to 3, and begin to catch up."""
        for version in (1, 2, 3):
            self.write(version)
        task = asyncio.ensure_future(anext(self.subscription))
        await self.reading.wait()
        return task

    def _drop(self, count: int) -> None:
        self.dropped += count

    async def _current(self) -> Change:
        self.reading.set()
        return await self.answer

    async def _leave(self, _subscription: Subscription) -> None:
        pass


def _change(kind: ChangeKind, version: int) -> Change:
    return Change(kind, version, Item(msgspec.msgpack.encode(version)))


async def _next(subscription: Subscription) -> tuple[Any, ...]:
    change = await anext(subscription)
    return change.kind, change.value, change.missed


async def test_what_is_in_the_value_that_was_read_does_not_come_again() -> None:
    """STATE-2: changes that come while it is read are in it or come after it, each once."""
    remote = Remote()
    reading = await remote.lag()
    remote.write(4)
    remote.write(5)
    remote.answer.set_result(_change(CURRENT, 4))
    caught_up = await reading
    assert (caught_up.kind, caught_up.value, caught_up.missed) == (CURRENT, 4, 3)
    assert await _next(remote.subscription) == (SET, 5, 0)


async def test_a_reader_cancelled_while_it_catches_up_misses_nothing_more() -> None:
    """STATE-2: the next read says how much was missed, as the first would have."""
    remote = Remote()
    reading = await remote.lag()
    reading.cancel()
    await asyncio.wait([reading])
    remote.answer = asyncio.get_running_loop().create_future()
    remote.answer.set_result(_change(CURRENT, 3))
    assert await _next(remote.subscription) == (CURRENT, 3, 3)
    assert remote.dropped == 3


async def test_a_value_that_cannot_be_read_is_read_again() -> None:
    """STATE-2: an error of the backend is the subscriber's, and loses nothing."""
    remote = Remote()
    reading = await remote.lag()
    remote.answer.set_exception(OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        await reading
    remote.answer = asyncio.get_running_loop().create_future()
    remote.answer.set_result(_change(CURRENT, 3))
    assert await _next(remote.subscription) == (CURRENT, 3, 3)
