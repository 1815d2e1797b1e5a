"""Rooms over a broker that takes its time, as one between many processes does, and clients that read when they like."""

import asyncio
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedplate.services.auth import Method, Principal, User
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import UnavailableError
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.socket import Connection, Room, TooManyRoomsError
from bedplate.services.socket.backend import Backlog, Deliver, Gap, Position
from bedplate.services.socket.hub import Hub
from bedplate.services.socket.memory import MemoryBroker
from bedplate.services.socket.models import Frame
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cancellation import cancel_at_every_await

USER = User(
    id=uuid.uuid4(), username="ann", profile_image=None, is_active=True, is_superuser=False,
    created_at=datetime.now(UTC), updated_at=datetime.now(UTC), last_login_at=None, optins=None,
)  # fmt: skip


class SlowBroker(MemoryBroker):
    """Answers later than it is asked."""

    async def enter(self, room: Room) -> Position:
        await asyncio.sleep(0)
        position = await super().enter(room)
        await asyncio.sleep(0)
        return position

    async def since(self, room: Room, position: Position) -> Backlog:
        await asyncio.sleep(0)
        backlog = await super().since(room, position)
        await asyncio.sleep(0)
        return backlog


class LateBroker(SlowBroker):
    """Delivers when it is told to what can be read before, and may be away, as a server may."""

    away = False

    def __init__(self, settings: SocketSettings) -> None:
        super().__init__(settings)
        self.held: list[tuple[Room, Frame]] = []

    def attach(self, deliver: Deliver, gap: Gap | None = None) -> None:
        super().attach(lambda room, frame: self.held.append((room, frame)), gap)
        self._late = deliver

    def catch_up(self) -> None:
        while self.held:
            self._late(*self.held.pop(0))

    def forget(self) -> None:
        """Begin anew, as a server does that has lost everything."""
        self.catch_up()
        for room, channel in self._channels.items():
            channel.epoch, channel.offset, channel.bytes = uuid.uuid4().hex, 0, 0
            channel.frames.clear()
            self._gap(room)

    async def since(self, room: Room, position: Position) -> Backlog:
        if self.away:
            raise UnavailableError("the server is away", service="socket")
        return await super().since(room, position)


class Link:
    """A client that has so much room, and reads when it is told to."""

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.waiting: list[str] = []
        self.read: list[tuple[str, dict[str, Any]]] = []
        self._read = asyncio.Event()

    def send(self, text: str) -> None:
        self.waiting.append(text)

    def offer(self, text: str) -> bool:
        if len(self.waiting) >= self.room:
            return False
        self.waiting.append(text)
        return True

    async def deliver(self, text: str) -> None:
        while not self.offer(text):
            self._read.clear()
            await self._read.wait()

    def finish(self, *farewell: str, again: bool = False, discard: bool = False) -> None:
        self.waiting.extend(farewell)

    def reads(self) -> None:
        self.read.extend(tuple(json.loads(text[1:])) for text in self.waiting)
        self.waiting.clear()
        self._read.set()

    def numbers(self) -> list[int]:
        return [data["number"] for event, data in self.read if event == "news"]


class Stage:
    """A hub, and one client in it."""

    def __init__(
        self, telemetry: TelemetryService, room: int = 1_000, broker: type[SlowBroker] = SlowBroker, **settings: Any
    ) -> None:
        values = SocketSettings(**settings)
        self.broker = broker(values)
        self.slow: list[Connection] = []
        self.hub = Hub(values, self.broker, telemetry, self.slow.append)
        self.link = Link(room)
        self.connection = Connection("sid", Principal(user=USER, method=Method.API_KEY), self.link)
        self.hub.add(self.connection)
        self.room = Room.session(USER.id, "s")
        self.said = 0

    def say(self) -> None:
        self.said += 1
        self.broker.publish(self.room, "news", f'{{"number":{self.said}}}')

    def read(self) -> None:
        self.link.reads()
        self.hub.catch_up(self.connection)

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        while self.connection.tasks or self.link.waiting:
            self.read()
            await asyncio.sleep(0)


def _telemetry() -> TelemetryService:
    settings = SettingsService(profile="test")
    return TelemetryService(settings, Redactor(settings))


@given(
    st.integers(1, 4),
    st.integers(1, 8),
    st.lists(st.sampled_from(["say", "say", "say", "read", "turn", "turn", "rejoin"]), max_size=60),
)
def test_whatever_happens_a_client_hears_everything_once_or_is_told_that_it_missed_some(
    room: int, kept: int, steps: list[str]
) -> None:
    """SOCK-2: slow client, slow broker, entering again in the middle."""

    async def check() -> None:
        stage = Stage(_telemetry(), room, history_events=kept)
        joined = await stage.hub.join(stage.connection, stage.room, None)
        heard: list[int] = []
        missed = 0
        for step in steps:
            match step:
                case "say":
                    stage.say()
                case "read":
                    stage.read()
                case "turn":
                    await asyncio.sleep(0)
                case "rejoin":
                    stage.hub.leave(stage.connection, stage.room)
                    await asyncio.sleep(0)
                    stage.link.reads()
                    missed = max(missed, _heard(stage.link, heard))
                    last = _last_id(stage.link) or joined.last_event_id
                    joined = await stage.hub.join(stage.connection, stage.room, last)
                    if joined.resync:
                        missed = stage.said
                    stage.link.read.clear()
        await stage.settle()
        stage.say()
        await stage.settle()
        missed = max(missed, _heard(stage.link, heard))
        assert heard == sorted(set(heard))
        assert set(range(missed + 1, stage.said + 1)) <= set(heard)
        assert not stage.connection.behind

    asyncio.run(check())


def _heard(link: Link, heard: list[int]) -> int:
    """Add what was heard; returns up to where the client was told that it may have missed something."""
    missed = 0
    for event, data in link.read:
        if event == "news":
            heard.append(data["number"])
        else:
            missed = int(data["last_event_id"].partition("-")[2])
    return missed


def _last_id(link: Link) -> str | None:
    ids = [data.get("event_id") or data["last_event_id"] for _, data in link.read]
    return ids[-1] if ids else None


@given(
    st.integers(1, 4),
    st.integers(1, 8),
    st.lists(st.sampled_from(["say", "say", "say", "read", "turn", "turn", "deliver", "forget"]), max_size=60),
)
def test_a_log_that_is_ahead_of_what_is_delivered_tells_nothing_twice(room: int, kept: int, steps: list[str]) -> None:
    """SOCK-3: and one that begins anew makes a gap that the client is told of, and hides nothing after it."""

    async def check() -> None:
        stage = Stage(_telemetry(), room, LateBroker, history_events=kept)
        broker: Any = stage.broker
        await stage.hub.join(stage.connection, stage.room, None)
        forgotten = 0
        for step in steps:
            match step:
                case "say":
                    stage.say()
                case "read":
                    stage.read()
                case "turn":
                    await asyncio.sleep(0)
                case "deliver":
                    broker.catch_up()
                case "forget":
                    broker.forget()
                    forgotten = stage.said
        await stage.settle()
        broker.catch_up()
        stage.say()
        broker.catch_up()
        await stage.settle()
        told = [data for event, data in stage.link.read if event == "resync"]
        heard = stage.link.numbers()
        assert heard == sorted(set(heard))
        if not told:
            assert (heard, forgotten) == (list(range(1, stage.said + 1)), 0)
        elif stage.said not in heard:  # then the client was told of a gap that ends with it
            assert forgotten + int(told[-1]["last_event_id"].partition("-")[2]) == stage.said
        assert not stage.connection.behind

    asyncio.run(check())


async def test_a_client_that_is_behind_while_the_log_is_away_gets_it_later(
    telemetry: TelemetryService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SOCK-3: without another event, and without having to ask."""
    monkeypatch.setattr("bedplate.services.socket.hub._PATIENCE", 0.01)
    stage = Stage(telemetry, room=1, broker=LateBroker)
    broker: Any = stage.broker
    await stage.hub.join(stage.connection, stage.room, None)
    await stage.settle()
    for _ in range(3):
        stage.say()
    broker.away = True
    broker.catch_up()
    stage.read()
    await asyncio.wait(list(stage.connection.tasks))
    assert stage.connection.behind
    stage.link.room, broker.away = 1_000, False
    async with asyncio.timeout(60):
        while stage.connection.behind:
            stage.link.reads()
            await asyncio.sleep(0.01)
    assert stage.link.numbers()[:1] == [1]
    await stage.settle()
    assert stage.link.numbers() == [1, 2, 3]


@pytest.mark.parametrize("before", range(6))
async def test_what_is_said_while_a_client_catches_up_is_heard(telemetry: TelemetryService, before: int) -> None:
    """SOCK-2: also between the broker's answer and what is done with it."""
    stage = Stage(telemetry, room=4)
    await stage.hub.join(stage.connection, stage.room, None)
    for _ in range(before):
        await asyncio.sleep(0)
    stage.say()
    await stage.settle()
    assert stage.link.numbers() == [1]
    for _ in range(6):
        stage.say()
    stage.read()
    for _ in range(before):
        await asyncio.sleep(0)
    stage.say()
    await stage.settle()
    assert stage.link.numbers() == list(range(1, 9))


async def test_entering_may_be_cancelled_at_any_await(telemetry: TelemetryService) -> None:
    """SOCK-1: a client is in the room or not, and nobody who is not keeps its events."""
    stage = Stage(telemetry)

    async def enter() -> None:
        await stage.hub.join(stage.connection, stage.room, "x-1")

    async def after(cancelled: bool) -> None:
        assert (stage.room in stage.connection.rooms) is not cancelled
        assert stage.hub.members(stage.room) == (not cancelled)
        assert all(channel.left_at is not None for channel in stage.broker._channels.values()) is cancelled
        stage.hub.leave(stage.connection, stage.room)

    assert await cancel_at_every_await(enter, after) >= 2


async def test_a_client_that_goes_while_it_enters_is_in_no_room(telemetry: TelemetryService) -> None:
    """SOCK-1: nothing is kept for it."""
    stage = Stage(telemetry)
    entering = stage.connection.spawn(stage.hub.join(stage.connection, stage.room, None), "entering")
    await asyncio.sleep(0)
    stage.hub.remove(stage.connection)
    stage.connection.close()
    await asyncio.wait([entering])
    assert stage.hub.members(stage.room) == 0
    assert stage.hub.presence().connections == 0
    assert all(channel.left_at is not None for channel in stage.broker._channels.values())


async def test_a_room_may_be_entered_again_when_no_other_may(telemetry: TelemetryService) -> None:
    """SOCK-2."""
    stage = Stage(telemetry, max_rooms=1)
    await stage.hub.join(stage.connection, stage.room, None)
    await stage.hub.join(stage.connection, stage.room, None)
    with pytest.raises(TooManyRoomsError):
        await stage.hub.join(stage.connection, Room.user(USER.id), None)
    assert stage.hub.members(stage.room) == 1


async def test_a_slow_client_is_given_up_where_the_policy_says_so(telemetry: TelemetryService) -> None:
    """SOCK-2: but not for what it asked for itself when it came back."""
    stage = Stage(telemetry, room=2, slow_consumer="disconnect")
    start = await stage.hub.join(stage.connection, stage.room, None)
    await stage.settle()
    for _ in range(2):
        stage.say()
    assert stage.slow == []
    stage.say()
    assert stage.slow == [stage.connection]
    stage.slow.clear()
    stage.link.reads()
    await stage.hub.join(stage.connection, stage.room, start.last_event_id)
    await stage.settle()
    assert stage.slow == []
    assert stage.link.numbers()[-3:] == [1, 2, 3]


async def test_a_log_is_read_until_the_client_goes(telemetry: TelemetryService) -> None:
    """SOCK-1: and the reader goes with it, and with the room."""
    stage, closed = Stage(telemetry, room=3), 0

    async def entries() -> Any:
        nonlocal closed
        try:
            number = 0
            while True:
                number += 1
                yield str(number), f'{{"number":{number}}}'
        finally:
            closed += 1

    room = Room.job(USER.id, uuid.uuid4())
    stage.hub.follow(stage.connection, room, "news", entries())
    stage.hub.follow(stage.connection, room, "news", entries())
    for _ in range(5):
        await asyncio.sleep(0)
        stage.link.reads()
    assert stage.hub.leave(stage.connection, room)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (closed, stage.hub.members(room), stage.connection.tasks) == (1, 0, set())
    numbers = stage.link.numbers()
    assert numbers == list(range(1, len(numbers) + 1))
