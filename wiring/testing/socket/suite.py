"""Numbering, keeping and delivering the events of rooms."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st

from bedplate.services.socket.backend import Broker, Position
from bedplate.services.socket.models import Frame, Room
from bedplate.wiring.testing.socket.harness import SocketHarness
from bedplate.wiring.testing.suite import Suite

__all__ = ["Broadcast"]


class _Ear:
    """Keeps what a broker delivers."""

    def __init__(self, broker: Broker) -> None:
        self.heard: list[tuple[Room, Frame]] = []
        broker.attach(lambda room, frame: self.heard.append((room, frame)))

    def numbers(self, room: Room) -> list[int]:
        return [_number(frame) for heard, frame in self.heard if heard == room]


def _number(frame: Frame) -> int:
    number: int = _event(frame)["number"]
    return number


def _event(frame: Frame) -> dict[str, Any]:
    kind, data = json.loads(frame.text[1:])
    assert frame.text.startswith("2")
    assert kind == "news"
    fields: dict[str, Any] = data
    return fields


def _say(broker: Broker, room: Room, *numbers: int) -> None:
    for number in numbers:
        broker.publish(room, "news", f'{{"number":{number}}}')


def _room(name: str = "s") -> Room:
    return Room.session(uuid.uuid4(), name)


class Broadcast(Suite):
    """What a broker does.

    Attributes:
        reaches_replicas: Whether brokers that are made one after another are in the same rooms.
    """

    reaches_replicas: ClassVar[bool] = False

    async def test_events_of_a_room_are_numbered_and_delivered_in_order(self, harness: SocketHarness) -> None:
        broker, room = await harness.broker(), _room()
        ear = _Ear(broker)
        position = await broker.enter(room)
        _say(broker, room, 1, 2, 3)
        await harness.settled()
        assert ear.numbers(room) == [1, 2, 3]
        ids = [frame.id for _, frame in ear.heard]
        assert ids == list(range(position.offset + 1, position.offset + 4))
        for _, frame in ear.heard:
            fields = _event(frame)
            assert fields["room"] == "session:s"
            assert Position.parse(fields["event_id"]) == Position(position.epoch, frame.id)

    async def test_rooms_of_two_users_are_two_rooms(self, harness: SocketHarness) -> None:
        broker, mine, theirs = await harness.broker(), _room(), _room()
        ear = _Ear(broker)
        await broker.enter(mine)
        _say(broker, theirs, 1)
        _say(broker, mine, 2)
        await harness.settled()
        assert ear.numbers(theirs) == []
        assert ear.numbers(mine) == [2]

    async def test_nothing_is_delivered_of_a_room_that_was_left(self, harness: SocketHarness) -> None:
        broker, room = await harness.broker(), _room()
        ear = _Ear(broker)
        await broker.enter(room)
        broker.leave(room)
        broker.leave(room)
        _say(broker, room, 1)
        await harness.settled()
        assert ear.numbers(room) == []

    async def test_whoever_comes_back_is_told_what_was_missed(self, harness: SocketHarness) -> None:
        broker, room = await harness.broker(), _room()
        await broker.enter(room)
        _say(broker, room, 1, 2)
        await harness.settled()
        position = await broker.enter(room)
        broker.leave(room)
        _say(broker, room, 3, 4)
        await harness.settled()
        await broker.enter(room)
        _say(broker, room, 5)
        await harness.settled()
        backlog = await broker.since(room, position)
        assert backlog.complete
        assert [_number(frame) for frame in backlog.frames] == [3, 4, 5]
        assert backlog.position == Position(position.epoch, position.offset + 3)
        assert (await broker.since(room, backlog.position)).frames == ()

    async def test_what_is_no_longer_kept_is_said_to_be_missing(self, harness: SocketHarness) -> None:
        broker, room = await harness.broker(history_events=2), _room()
        start = await broker.enter(room)
        _say(broker, room, 1, 2, 3)
        await harness.settled()
        assert not (await broker.since(room, start)).complete
        near = await broker.since(room, Position(start.epoch, start.offset + 1))
        assert near.complete
        assert [_number(frame) for frame in near.frames] == [2, 3]

    async def test_a_place_that_never_was_is_missing(self, harness: SocketHarness) -> None:
        broker, room = await harness.broker(), _room()
        position = await broker.enter(room)
        _say(broker, room, 1)
        await harness.settled()
        for unknown in (Position("another", 0), Position(position.epoch, position.offset + 2)):
            backlog = await broker.since(room, unknown)
            assert not backlog.complete
            assert backlog.frames == ()
            assert backlog.position == Position(position.epoch, position.offset + 1)

    async def test_a_room_is_forgotten_when_nobody_was_there_for_long(self, harness: SocketHarness) -> None:
        broker, room = await harness.broker(history_ttl=60.0), _room()
        before = await broker.enter(room)
        _say(broker, room, 1)
        await harness.settled()
        broker.leave(room)
        await harness.advance(59.0)
        await broker.enter(room)
        assert (await broker.since(room, before)).complete
        broker.leave(room)
        await harness.advance(61.0)
        await broker.enter(room)
        assert not (await broker.since(room, before)).complete

    async def test_bytes_are_bounded(self, harness: SocketHarness) -> None:
        broker, room = await harness.broker(history_bytes=10_000, history_total_bytes=50_000), _room()
        start = await broker.enter(room)
        broker.publish(room, "news", json.dumps({"number": 1, "blob": "x" * 20_000}))
        await harness.settled()
        backlog = await broker.since(room, start)
        assert not backlog.complete
        assert backlog.position.offset == start.offset + 1
        _say(broker, room, 2)
        await harness.settled()
        assert [_number(frame) for frame in (await broker.since(room, backlog.position)).frames] == [2]

    async def test_rooms_that_nobody_is_in_give_way(self, harness: SocketHarness) -> None:
        """However many a client enters and leaves: the oldest are forgotten, the newest and those in use are not."""
        broker = await harness.broker(history_bytes=10_000, history_total_bytes=50_000)
        used = _room("used")
        kept = await broker.enter(used)
        _say(broker, used, 1)
        first, last = _room("first"), _room("last")
        before = await broker.enter(first)
        broker.leave(first)
        for number in range(200):
            room = _room(str(number))
            await broker.enter(room)
            broker.leave(room)
        newest = await broker.enter(last)
        broker.leave(last)
        await harness.settled()
        await broker.enter(last)
        assert (await broker.since(last, newest)).complete
        assert [_number(frame) for frame in (await broker.since(used, kept)).frames] == [1]
        await broker.enter(first)
        assert not (await broker.since(first, before)).complete

    async def test_nothing_is_kept_after_a_stop(self, harness: SocketHarness) -> None:
        broker, room = await harness.broker(), _room()
        before = await broker.enter(room)
        await broker.stop()
        _say(broker, room, 1)
        await broker.start()
        await broker.enter(room)
        _say(broker, room, 2)
        await harness.settled()
        numbers = [_number(frame) for frame in (await broker.since(room, before)).frames]
        assert numbers in ([], [2])

    async def test_a_room_is_one_for_all_replicas(self, harness: SocketHarness) -> None:
        """SOCK-3: whoever says something, all hear it, once, in the same order and under the same ids."""
        self.require("reaches_replicas")
        brokers, room = [await harness.broker() for _ in range(3)], _room()
        ears = [_Ear(broker) for broker in brokers]
        await asyncio.gather(*(broker.enter(room) for broker in brokers))
        for number in range(30):
            _say(brokers[number % 3], room, number)
            if number % 7 == 0:
                await harness.settled()
        await harness.settled()
        assert sorted(ears[0].numbers(room)) == list(range(30))
        assert ears[0].heard == ears[1].heard == ears[2].heard
        assert [number for number in ears[0].numbers(room) if number % 3 == 0] == list(range(0, 30, 3))
        brokers[0].leave(room)
        _say(brokers[1], room, 30)
        await harness.settled()
        assert [ear.numbers(room)[-1] == 30 for ear in ears] == [False, True, True]

    async def test_whoever_comes_back_to_another_replica_is_told_what_was_missed(self, harness: SocketHarness) -> None:
        """SOCK-3: also when the one before is gone."""
        self.require("reaches_replicas")
        before, after, room = await harness.broker(), await harness.broker(), _room()
        position = await before.enter(room)
        _say(before, room, 1, 2)
        await before.stop()
        _say(after, room, 3)
        await harness.settled()
        await after.enter(room)
        _say(after, room, 4)
        await harness.settled()
        backlog = await after.since(room, position)
        assert backlog.complete
        assert [_number(frame) for frame in backlog.frames] == [1, 2, 3, 4]

    async def test_connections_of_a_user_are_counted_over_all_replicas(self, harness: SocketHarness) -> None:
        """SOCK-3: those of a replica that has stopped count no more."""
        self.require("reaches_replicas")
        one, other = await harness.broker(), await harness.broker()
        user_id = uuid.uuid4()
        assert [await one.admit(user_id, "a", 2), await other.admit(user_id, "b", 2)] == [True, True]
        assert not await one.admit(user_id, "c", 2)
        assert await one.admit(uuid.uuid4(), "c", 2)
        other.dismiss(user_id, "b")
        await _until(other.connections_of, user_id, 1)
        assert await one.admit(user_id, "c", 2)
        await one.stop()
        assert await other.connections_of(user_id) == 0

    async def test_signals_reach_everybody(self, harness: SocketHarness) -> None:
        """SOCK-3: the replica that gives one, and all others."""
        brokers = [await harness.broker() for _ in range(3 if self.reaches_replicas else 1)]
        heard: list[list[uuid.UUID | None]] = [[] for _ in brokers]
        for broker, signals in zip(brokers, heard, strict=True):
            broker.attend(signals.append)
        users = [uuid.uuid4() for _ in range(5)]
        for number, user_id in enumerate(users):
            brokers[number % len(brokers)].signal(user_id)
            await harness.settled()
        assert heard == [users] * len(brokers)

    def test_whatever_happens_nothing_is_told_twice_or_out_of_order(self, harness: SocketHarness) -> None:
        """A client that keeps the last event it has got, and asks from there, misses nothing without being told."""

        @given(
            st.integers(1, 6),
            st.lists(st.sampled_from(["say", "say", "read", "leave", "enter"]), max_size=40),
        )
        def check(kept: int, steps: list[str]) -> None:
            asyncio.run(self._walk(harness, kept, steps))

        check()

    async def _walk(self, harness: SocketHarness, kept: int, steps: list[str]) -> None:
        broker, room = await harness.broker(history_events=kept), _room()
        position, inside, said = await broker.enter(room), True, 0
        read: list[int] = []
        missed = 0
        for step in [*steps, "enter", "read"]:
            if step == "say":
                said += 1
                _say(broker, room, said)
            elif step == "leave":
                broker.leave(room)
                inside = False
            elif step == "enter":
                await broker.enter(room)
                inside = True
            elif inside:
                await harness.settled()
                backlog = await broker.since(room, position)
                if not backlog.complete:
                    missed = said
                read += [_number(frame) for frame in backlog.frames]
                position = backlog.position
        assert read == sorted(set(read))
        assert set(range(missed + 1, said + 1)) <= set(read)
        await broker.stop()


async def _until(ask: Callable[[uuid.UUID], Awaitable[int | None]], user_id: uuid.UUID, answer: int) -> None:
    """Ask until this is the answer."""
    async with asyncio.timeout(60):
        while await ask(user_id) != answer:  # each asks the server
            pass
