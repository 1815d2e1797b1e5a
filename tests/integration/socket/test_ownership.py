"""Whose is what over the socket: every event and every kind of room, from one table."""

import types
import typing
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from tests.integration.socket.conftest import Client, NewFlowOf, Sockets

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import Scope, User
from bedplate.services.chat import NewMessage
from bedplate.services.job_queue import JobLog
from bedplate.services.socket import Room, RoomKind, SocketService
from bedplate.wiring.sockets.endpoint import EVENTS
from bedplate.wiring.sockets.rooms import SCOPES
from bedplate.wiring.testing.signals import Gate


@pytest.fixture
def transport() -> str:
    return "websocket"


class Kind(StrEnum):
    """What an id is the id of."""

    FLOW = "flow"
    JOB = "job"
    SESSION = "session"
    ROOM = "room"
    NONE = "nothing that is somebody's"


Ids = Mapping[str, str]


@dataclass(frozen=True)
class Row:
    """One event.

    ``ids`` says what each of its fields that can name something is the id of; ``body`` is what an owner sends, in
    which ``{flow}`` and the like stand for the owner's own.
    """

    ids: Mapping[str, Kind] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


TABLE: Mapping[str, Row] = {
    "join": Row({"room": Kind.ROOM, "last_event_id": Kind.NONE}, {"room": "job:{job}"}),
    "leave": Row({"room": Kind.ROOM}, {"room": "job:{job}"}),
    "resume": Row({"rooms": Kind.ROOM}, {"rooms": {"job:{job}": None}}),
    "run": Row(
        {
            "flow_id": Kind.FLOW,
            "session_id": Kind.SESSION,
            "start_component_id": Kind.NONE,
            "stop_component_id": Kind.NONE,
        },
        {"flow_id": "{flow}", "input_value": "Hello"},
    ),
    "message": Row({"flow_id": Kind.FLOW, "session_id": Kind.SESSION}, {"flow_id": "{flow}", "text": "Hello"}),
    "cancel": Row({"job_id": Kind.JOB}, {"job_id": "{job}"}),
    "get_vertices": Row({"flow_id": Kind.FLOW}, {"flow_id": "{flow}"}),
    "build_vertex": Row(
        {"flow_id": Kind.FLOW, "vertex_id": Kind.NONE, "session_id": Kind.SESSION},
        {"flow_id": "{flow}", "vertex_id": "in"},
    ),
    "refresh": Row(),
}

ROOMS: Mapping[RoomKind, str] = {
    RoomKind.USER: "user:{user}",
    RoomKind.SESSION: "session:{session}",
    RoomKind.FLOW: "flow:{flow}",
    RoomKind.JOB: "job:{job}",
}


def _id_fields(payload: type[msgspec.Struct]) -> Iterator[str]:
    """Fields that may name something of somebody's."""
    for name, hint in typing.get_type_hints(payload).items():
        parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        if uuid.UUID in parts or name.endswith("_id") or name.startswith("room"):
            yield name


def test_every_event_and_every_room_is_in_the_tables() -> None:
    """ALL-4, SOCK-1: a new event, a new id in one, or a new kind of room has to be classified here."""
    assert set(TABLE) == set(EVENTS)
    for name, event in EVENTS.items():
        assert set(_id_fields(event.payload)) == set(TABLE[name].ids), name
    assert set(ROOMS) == set(RoomKind)


@pytest.fixture
async def gate() -> Gate:
    return Gate()


async def _furnished(container: ApplicationContainer, new_flow: NewFlowOf, owner: User, gate: Gate) -> Ids:
    """A flow, a session with a message and a running job of this user."""

    async def work(log: JobLog) -> None:
        log.append("token", {"chunk": "secret of a"})
        await gate.passes()

    flow = await new_flow(owner)
    session = f"session of {owner.username}"
    message = NewMessage(session_id=session, sender="User", sender_name="Ann", text="secret of a")
    await container.chat().append(owner.id, message)
    job = await container.job_queue().submit(owner.id, work, flow_id=flow.id, session_id=session)
    return {"user": str(owner.id), "flow": str(flow.id), "session": session, "job": str(job.id)}


def _filled(value: Any, ids: Ids) -> Any:
    if isinstance(value, str):
        return value.format(**ids)
    if isinstance(value, Mapping):
        return {_filled(name, ids): _filled(inner, ids) for name, inner in value.items()}
    return value


def _unknown() -> Ids:
    return {name: str(uuid.uuid4()) for name in ("user", "flow", "job", "session")}


def _blurred(answer: Any, ids: Ids) -> str:
    """The answer with ids as what they are the ids of."""
    text = msgspec.json.encode(answer).decode()
    for name, value in ids.items():
        text = text.replace(value, f"<{name}>")
    return text


async def test_ids_of_another_user_answer_like_unknown_ones(
    sockets: Sockets, container: ApplicationContainer, new_flow: NewFlowOf, ann: User, bob: User, gate: Gate
) -> None:
    """ALL-4, SOCK-1: and change nothing; every event, with every id of another in it."""
    hers = await _furnished(container, new_flow, ann, gate)
    stranger: Client = await sockets.logged_in("bob")
    own = await _furnished(container, new_flow, bob, gate)
    for name, row in TABLE.items():
        for place, kind in row.ids.items():
            if kind in (Kind.NONE, Kind.SESSION):
                continue
            unknown = _unknown()
            answers = []
            for ids in (hers, unknown):
                body = _filled(row.body, own) | {place: _filled(row.body[place], ids)}
                answers.append(_blurred(await stranger.call(name, body), ids))
            assert answers[0] == answers[1], (name, place)
            allowed = name == "leave"  # a room that one is not in has been left
            assert ('"ok":true' in answers[0]) is (allowed or name == "resume"), (name, answers[0])
    assert (await container.job_queue().get(ann.id, uuid.UUID(hers["job"]))).status == "running"
    gate.open()


async def test_rooms_of_another_user_are_closed(
    sockets: Sockets, container: ApplicationContainer, new_flow: NewFlowOf, ann: User, bob: User, gate: Gate
) -> None:
    """ALL-4, SOCK-1: a foreign room answers like a missing one, and nothing said in it comes out."""
    hers = await _furnished(container, new_flow, ann, gate)
    stranger: Client = await sockets.logged_in("bob")
    service: SocketService = container.socket()
    for kind, address in ROOMS.items():
        unknown = _unknown()
        answers = [_blurred(await stranger.call("join", room=address.format(**ids)), ids) for ids in (hers, unknown)]
        if kind is RoomKind.SESSION:
            # Users name their sessions themselves: the same name of two users is two sessions.
            assert all('"ok":true' in answer and '"resync":false' in answer for answer in answers)
        else:
            assert answers[0] == answers[1]
            assert '"ok":false' in answers[0]
    await stranger.ok("join", room="user")
    for room in (
        Room.user(ann.id),
        Room.session(ann.id, hers["session"]),
        Room.flow(ann.id, uuid.UUID(hers["flow"])),
    ):
        service.publish(room, "secret", {"text": "secret of a"})
    message = NewMessage(session_id=hers["session"], sender="User", sender_name="Ann", text="secret of a")
    await container.chat().append(ann.id, message)
    gate.open()
    service.publish(Room.user(bob.id), "last", {})
    await stranger.until("last")
    assert "secret" not in str(stranger.heard)


async def test_keys_do_what_their_scopes_say(
    sockets: Sockets, container: ApplicationContainer, new_flow: NewFlowOf, ann: User, gate: Gate
) -> None:
    """AUTH-4, SOCK-1: over the socket as over HTTP; a key for one thing is good for nothing else."""
    ids = await _furnished(container, new_flow, ann, gate)
    gate.open()
    everything = {event.scope for event in EVENTS.values() if event.scope} | set(SCOPES.values())
    for granted in everything:
        key = await container.auth().api_keys.create(ann.id, scopes=frozenset({granted}))
        client = await sockets.client().connect({"api_key": key.secret.get_secret_value()})
        for name, event in EVENTS.items():
            if event.scope is None:
                continue
            answer = await client.call(name, _filled(TABLE[name].body, ids))
            denied = not answer["ok"] and answer["error"]["code"] == "insufficient_scope"
            # What is said is answered in a session, which has to be heard too.
            assert denied is not (event.scope is granted and name != "message"), (name, granted, answer)
        for kind, scope in SCOPES.items():
            answer = await client.call("join", room=ROOMS[kind].format(**ids))
            assert answer["ok"] is (scope is granted), (kind, granted, answer)
        await client.close()
    both = await container.auth().api_keys.create(ann.id, scopes={Scope.FLOWS_RUN, Scope.MESSAGES_READ})
    client = await sockets.client().connect({"api_key": both.secret.get_secret_value()})
    await client.ok("message", _filled(TABLE["message"].body, ids))


async def test_a_session_of_the_same_name_is_one_of_ones_own(
    sockets: Sockets, new_flow: NewFlowOf, ann: User, bob: User
) -> None:
    """ALL-4, SOCK-1: and what is said in the one is not heard in the other."""
    clients = {}
    for user in (ann, bob):
        clients[user.username] = client = await sockets.logged_in(user.username)
        await client.ok("join", room="session:shared")
    for user in (ann, bob):
        flow = await new_flow(user)
        client = clients[user.username]
        await client.ok("message", flow_id=str(flow.id), text=f"I am {user.username}", session_id="shared")
        await client.until("message", lambda data: data["sender"] == "Machine")
    for name, client in clients.items():
        assert {message["text"] for message in client.all("message")} == {f"I am {name}"}


@pytest.mark.parametrize(
    "room",
    [
        "",
        "user:",
        "flow",
        "flow:",
        "job:7",
        "session:",
        "admin",
        "*",
        "user:*",
        "session:" + "x" * 300,
        "job:\x00",
        "\ud800",
    ],
)
async def test_impossible_rooms_are_missing_ones(sockets: Sockets, room: str) -> None:
    """SOCK-1: typed, whatever they are called."""
    client = await sockets.logged_in()
    if room == "user:":
        assert (await client.ok("join", room=room))["room"] == "user"
    else:
        assert (await client.error("join", room=room))["code"] == "room_not_found"
