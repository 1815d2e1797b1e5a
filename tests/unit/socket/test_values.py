"""Rooms, ids of events, packets, rates: the values that the service is made of."""

import contextlib
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedplate.services.errors import BedplateError, ConfigurationError, CorruptDataError, InvalidInputError
from bedplate.services.socket import PayloadError, Room, RoomKind, RoomNameError, error_body
from bedplate.services.socket.backend import Position
from bedplate.services.socket.encoding import ack_text, event_text, room_event_text
from bedplate.services.socket.limits import TokenBucket
from bedplate.wiring.sockets import payloads
from bedplate.wiring.testing.cache import ManualClock

ANN, BOB, SOME = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()


@pytest.mark.parametrize("room", [Room.user(ANN), Room.session(ANN, "a: b"), Room.flow(ANN, SOME), Room.job(ANN, SOME)])
def test_a_room_has_an_address_of_its_own(room: Room) -> None:
    assert Room.parse(ANN, room.address) == room
    assert Room.parse(BOB, room.address) != room or room.kind is RoomKind.USER


@given(st.text(max_size=40))
def test_any_text_is_a_room_of_the_user_or_none(text: str) -> None:
    """SOCK-1: never another's, and never an error without a type."""
    for prefix in ("", "user:", "session:", "flow:", "job:"):
        try:
            room = Room.parse(ANN, prefix + text)
        except RoomNameError:
            continue
        assert room.user_id == ANN
        room.address.encode()


def test_the_room_of_a_user_is_no_other_users() -> None:
    assert Room.parse(ANN, f"user:{ANN}") == Room.user(ANN)
    with pytest.raises(RoomNameError):
        Room.parse(ANN, f"user:{BOB}")


@given(st.text(max_size=30))
def test_any_text_is_an_event_id_or_none(text: str) -> None:
    position = Position.parse(text)
    assert position is None or Position.parse(position.event_id) == position


def test_packets_are_those_of_the_protocol() -> None:
    """Socket.IO protocol 5: ``2`` is an event, ``3`` an answer."""
    assert event_text("news", {"a": 1}) == '2["news",{"a":1}]'
    assert ack_text(7, {"ok": True}) == '37[{"ok":true}]'
    told = room_event_text('quo"te', 'session:"s"', "e-1", '{"a":1}')
    assert json.loads(told[1:]) == ['quo"te', {"room": 'session:"s"', "event_id": "e-1", "a": 1}]
    assert json.loads(room_event_text("x", "user", "e-1", "{}")[1:])[1] == {"room": "user", "event_id": "e-1"}


def test_what_is_told_is_json_like() -> None:
    moment = datetime(2026, 11, 28, tzinfo=UTC)
    assert json.loads(event_text("x", {"id": ANN, "at": moment})[1:])[1]["id"] == str(ANN)
    assert "\ufffd" in event_text("x", {"half": "\ud83d"})
    for impossible in (object(), {"a": {1, 2}.union}, float):
        with pytest.raises(InvalidInputError):
            event_text("x", impossible)
    nested: list[Any] = []
    nested.append(nested)
    with pytest.raises(InvalidInputError):
        event_text("x", nested)


def test_a_rate_is_held_and_a_burst_allowed() -> None:
    """SOCK-2."""
    clock = ManualClock(0.0)
    bucket = TokenBucket(rate=2.0, burst=4, clock=clock)
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0]
    assert bucket.take() == pytest.approx(0.5)
    assert bucket.take(3) == pytest.approx(1.5)
    clock.now += 0.5
    assert bucket.take() == 0
    clock.now += 3600
    assert [bucket.take() > 0 for _ in range(5)] == [False, False, False, False, True]


def test_clients_are_told_what_concerns_them_and_nothing_else() -> None:
    """SOCK-1: one shape; the server's own troubles and foreign errors say nothing."""
    secret = "postgres://user:password@host"
    assert error_body(ValueError(secret)) == {"code": "internal", "message": "Internal server error", "fix": None}
    for ours in (ConfigurationError(secret, fix=secret), CorruptDataError(secret, why=secret)):
        assert secret not in str(error_body(ours))
    told = error_body(BedplateError("what", why=secret, fix="fix"))
    assert told == {"code": "error", "message": "what", "fix": "fix"}


@given(st.lists(st.recursive(st.none() | st.integers() | st.text(max_size=5) | st.booleans(), st.lists, max_leaves=5)))
def test_any_arguments_are_a_payload_or_a_typed_error(args: list[Any]) -> None:
    """SOCK-1."""
    for kind in payloads.Payload.__subclasses__():
        with contextlib.suppress(PayloadError):
            assert isinstance(payloads.payload_of(kind, args), kind)
