"""What the events of clients carry, checked before anything is done."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from bedplate.services.session.runner import InputType, OutputType
from bedplate.services.socket import PayloadError

__all__ = [
    "BuildVertex",
    "Cancel",
    "GetVertices",
    "Join",
    "Leave",
    "Payload",
    "Refresh",
    "Resume",
    "Run",
    "Say",
    "payload_of",
]

_MAX_ROOMS = 128

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
EventId = Annotated[str, msgspec.Meta(max_length=64)]


class Payload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what events carry: an object, or its fields one after another, as clients of old send them."""


class Join(Payload, frozen=True, kw_only=True):
    """Enter a room.

    Attributes:
        room: Its address: ``user``, ``session:<id>``, ``flow:<id>`` or ``job:<id>``.
        last_event_id: The last event of it that the client has got; None: of a job all, otherwise those to come.
    """

    room: str
    last_event_id: EventId | int | None = None


class Leave(Payload, frozen=True, kw_only=True):
    """Leave a room.

    Attributes:
        room: Its address.
    """

    room: str


class Resume(Payload, frozen=True, kw_only=True):
    """Enter several rooms again, each after the last event of it that the client has got.

    Attributes:
        rooms: Last event by address, of 128 rooms at most.
    """

    rooms: Annotated[dict[str, EventId | int | None], msgspec.Meta(max_length=_MAX_ROOMS)]


class Run(Payload, frozen=True, kw_only=True):
    """Run a flow, and follow its job.

    Attributes:
        flow_id: The flow, by id or endpoint name.
        input_value: What is said.
        session_id: The session; None: one named after the flow.
        kind: ``"run"``: the job's events are messages and tokens; ``"build"``: those of every vertex too.
        input_type: Which input components get what is said.
        output_type: Whose outputs are reported.
        output_component: The one vertex to report; empty: by type.
        tweaks: Values to use instead of the flow's.
        files: Paths of files for the chat inputs.
        start_component_id: Run this vertex and what follows from it.
        stop_component_id: Run this vertex and what it needs.
        join: Whether to enter the room of the job.
    """

    flow_id: Name
    input_value: str | None = None
    session_id: Name | None = None
    kind: Literal["run", "build"] = "run"
    input_type: InputType = "chat"
    output_type: OutputType = "chat"
    output_component: str = ""
    tweaks: dict[str, Any] = {}
    files: tuple[str, ...] = ()
    start_component_id: str | None = None
    stop_component_id: str | None = None
    join: bool = True


class Say(Payload, frozen=True, kw_only=True):
    """Say something in a session, and hear the answer in its room.

    Attributes:
        flow_id: The flow that answers, by id or endpoint name.
        text: What is said.
        session_id: The session; None: one named after the flow.
        files: Paths of attached files.
    """

    flow_id: Name
    text: str
    session_id: Name | None = None
    files: tuple[str, ...] = ()


class Cancel(Payload, frozen=True, kw_only=True):
    """Cancel a job.

    Attributes:
        job_id: The job.
    """

    job_id: uuid.UUID


class GetVertices(Payload, frozen=True, kw_only=True):
    """Ask in which order the vertices of a flow run.

    Attributes:
        flow_id: The flow.
    """

    flow_id: uuid.UUID


class BuildVertex(Payload, frozen=True, kw_only=True):
    """Build one vertex, and what it needs.

    Attributes:
        flow_id: The flow.
        vertex_id: The vertex.
        input_value: What is said to the input components.
        session_id: The session; None: one named after the flow.
    """

    flow_id: uuid.UUID
    vertex_id: Name
    input_value: str | None = None
    session_id: Name | None = None


class Refresh(Payload, frozen=True, kw_only=True):
    """Go on with new credentials of the same user.

    Attributes:
        token: A new access token.
        api_key: An API key.
    """

    token: str | None = None
    api_key: str | None = None


P = TypeVar("P", bound=Payload)


def payload_of(kind: type[P], args: Sequence[Any]) -> P:
    """What an event carries.

    Raises:
        PayloadError: It is something else.
    """
    fields = kind.__struct_fields__
    if len(args) == 1 and isinstance(args[0], dict):
        given = args[0]
    elif len(args) <= len(fields):
        given = dict(zip(fields, args, strict=False))
    else:
        raise PayloadError(f"{len(args)} arguments", f"send one object with the fields {', '.join(fields)}")
    try:
        return msgspec.convert(given, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        what = str(error)[:200] if isinstance(error, msgspec.ValidationError) else "it is nested too deeply"
        raise PayloadError(what, f"send one object with the fields {', '.join(fields)}") from None
