"""What the values of a flow and of a project must look like."""

import re
from typing import Any

import orjson

from bedplate.services.errors import InvalidInputError
from bedplate.services.session.models import FlowPatch, NewFlow, NewProject, ProjectPatch
from bedplate.services.session.runner.errors import FlowTooLargeError, NotAFlowError

__all__ = ["MAX_NAME", "check_flow", "check_name", "check_texts", "webhook_nodes"]

MAX_NAME = 255
"""Most characters of a name of a flow, an endpoint, a project or a session."""

_ENDPOINT = re.compile(r"[a-zA-Z0-9_-]+")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def check_name(name: object, what: str) -> None:
    """Refuse what is no name for people.

    Raises:
        InvalidInputError: It is empty, too long, or has control characters.
    """
    if not isinstance(name, str) or not name.strip():
        raise _invalid(f"the name of a {what} is empty", "give it a name")
    if len(name) > MAX_NAME:
        raise _invalid(f"the name of a {what} has {len(name)} characters", f"use at most {MAX_NAME}")
    if _CONTROL.search(name):
        raise _invalid(f"the name of a {what} has control characters", "leave them out")


def check_texts(given: NewFlow | FlowPatch | NewProject | ProjectPatch) -> None:
    """Refuse texts that no database can hold.

    Raises:
        InvalidInputError: One has a null character or half a surrogate pair; the message names it.
    """
    for field in given.__struct_fields__:
        value = getattr(given, field)
        for text in value if isinstance(value, list | tuple) else (value,):
            if isinstance(text, str) and _UNSTORABLE.search(text):
                raise _invalid(f"{field} holds a null character or half a character", "leave it out")


def check_flow(flow: NewFlow | FlowPatch, max_bytes: int) -> None:
    """Check every value that is given; what is UNSET or None is right, but for a name.

    Raises:
        InvalidInputError: A value is wrong; the message names it.
        FlowTooLargeError: The document has more than ``max_bytes``.
    """
    if isinstance(flow, NewFlow) or isinstance(flow.name, str):
        check_name(flow.name, "flow")
    check_texts(flow)
    if isinstance(flow.endpoint_name, str) and flow.endpoint_name:
        _check_endpoint(flow.endpoint_name)
    if isinstance(flow.icon, str) and flow.icon.startswith(":") != flow.icon.endswith(":"):
        raise _invalid(f"{flow.icon!r} is no icon", "put a colon on both sides of an emoji's name, or on none")
    if isinstance(flow.icon_bg_color, str) and not _COLOUR.fullmatch(flow.icon_bg_color):
        raise _invalid(f"{flow.icon_bg_color!r} is no colour", "use a form such as #1a2b3c")
    if isinstance(flow.data, dict):
        check_data(flow.data, max_bytes)


def check_data(data: dict[str, Any], max_bytes: int) -> None:
    """Refuse what is no flow document; the empty object stands for none.

    Raises:
        NotAFlowError: It has no nodes or edges, or is not JSON.
        FlowTooLargeError: It has more than ``max_bytes``.
    """
    for key in ("nodes", "edges"):
        if data and not isinstance(data.get(key), list):
            raise NotAFlowError(f"the flow has no list of {key}", fix=f"send a list of {key}, which may be empty")
    try:
        size = len(orjson.dumps(data))
    except TypeError as error:
        raise NotAFlowError(f"the flow is not JSON: {error}", fix="send values that JSON has, less deep") from None
    if size > max_bytes:
        raise FlowTooLargeError("bytes", size, max_bytes, "BEDPLATE_SESSION__MAX_FLOW_BYTES")


def webhook_nodes(data: dict[str, Any] | None) -> list[str]:
    """The ids of the nodes that receive webhooks."""
    nodes = data.get("nodes", []) if data else []
    ids = [str(node.get("id", "")) for node in nodes if isinstance(node, dict)]
    return [node_id for node_id in ids if "Webhook" in node_id]


def _check_endpoint(name: str) -> None:
    if not _ENDPOINT.fullmatch(name):
        raise _invalid("an endpoint name holds a wrong character", "use letters, digits, hyphens and underscores")
    if len(name) > MAX_NAME:
        raise _invalid(f"an endpoint name has {len(name)} characters", f"use at most {MAX_NAME}")


def _invalid(what: str, fix: str) -> InvalidInputError:
    return InvalidInputError(what, service="session", fix=fix)
