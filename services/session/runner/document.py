"""The flow document as a runner sees it: nodes with values, edges between them, and an order to go by.

The document is that of the REST contract: ``{"nodes": [...], "edges": [...]}``, in which each node carries the
template of its component. Only values are taken from a template; ``code`` in it is never kept, let alone executed.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import orjson

from bedplate.services.session.runner.errors import (
    DanglingEdgeError,
    DuplicateNodeError,
    FlowTooLargeError,
    NotAFlowError,
)
from bedplate.services.session.runner.order import topological_order

__all__ = ["FieldValue", "FlowDocument", "FlowEdge", "FlowLimits", "FlowNode"]

_NOTE: Final = "noteNode"
_CODE: Final = "code"
_QUOTE: Final = "œ"
"""Stands for a double quote in handles, which editors write as JSON inside of JSON."""


class FlowLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a flow may be.

    Attributes:
        max_bytes: Bytes of the document as JSON.
        max_nodes: Nodes.
        max_edges: Edges.
    """

    max_bytes: int = 16 * 1024 * 1024
    max_nodes: int = 2_000
    max_edges: int = 20_000


class FieldValue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the template of a node holds for one field.

    Attributes:
        value: The value.
        type: The kind of field, as the template says, such as ``"str"``, ``"file"`` or ``"prompt"``.
        load_from_db: Whether the value is the name of a variable of the user.
        secret: Whether it is never shown.
        tweaked: Whether the caller of a run set it, so that it may be a variable's name or the value itself.
    """

    value: Any = None
    type: str = "str"
    load_from_db: bool = False
    secret: bool = False
    tweaked: bool = False


class FlowNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node of a flow.

    Attributes:
        id: Unique in the flow.
        component: The name of its component type.
        display_name: What people call it.
        fields: The values that it holds, by name.
        frozen: Whether it is to give again what it gave before, whatever its inputs are.
    """

    id: str
    component: str
    display_name: str
    fields: dict[str, FieldValue]
    frozen: bool = False


class FlowEdge(msgspec.Struct, frozen=True, kw_only=True):
    """A value's way from an output to a field.

    Attributes:
        source: The node that gives.
        output: The name of its output.
        target: The node that takes.
        field: The name of its field.
    """

    source: str
    output: str
    target: str
    field: str


class FlowDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A flow, checked and in order; plain data, so that it can be cached and shared.

    Attributes:
        nodes: Its nodes by id, notes left out.
        edges: Its edges.
        order: All node ids, each after those that it takes values from; ties as in the document.
    """

    nodes: dict[str, FlowNode]
    edges: tuple[FlowEdge, ...]
    order: tuple[str, ...]

    @classmethod
    def parse(cls, data: object, limits: FlowLimits = FlowLimits()) -> "FlowDocument":  # noqa: B008 - frozen
        """Read a document; it is not changed.

        Args:
            data: The document as JSON text in bytes, or as the mapping that such a text means.
            limits: How large it may be. The bytes of a mapping are not counted.

        Raises:
            FlowError: It is no flow, is too large, or has duplicate ids, dangling edges or a cycle.
        """
        document = _mapping(_loads(data, limits) if isinstance(data, bytes) else data, "the flow")
        raw_nodes = _sequence(document, "nodes", limits.max_nodes, "BEDPLATE_SESSION__MAX_NODES")
        raw_edges = _sequence(document, "edges", limits.max_edges, "BEDPLATE_SESSION__MAX_EDGES")
        nodes, notes = _read_nodes(raw_nodes)
        edges = _read_edges(raw_edges, nodes, notes)
        order = topological_order(tuple(nodes), [(edge.source, edge.target) for edge in edges])
        return cls(nodes=nodes, edges=edges, order=order)


def _loads(data: bytes, limits: FlowLimits) -> object:
    if len(data) > limits.max_bytes:
        raise FlowTooLargeError("bytes", len(data), limits.max_bytes, "BEDPLATE_SESSION__MAX_FLOW_BYTES")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise NotAFlowError(
            f"the flow is not JSON: {error.msg} at line {error.lineno}", fix="send valid JSON"
        ) from None


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NotAFlowError(
            f"{what} is {_kind(value)}, not an object", fix='send an object such as {"nodes": [...], "edges": [...]}'
        )
    return value


def _sequence(document: Mapping[str, Any], key: str, limit: int, setting: str) -> Sequence[Any]:
    if key not in document:
        raise NotAFlowError(f"the flow has no {key!r}", fix=f"send a list of {key}, which may be empty")
    value = document[key]
    if not isinstance(value, list | tuple):
        raise NotAFlowError(f"{key!r} of the flow is {_kind(value)}, not a list", fix=f"send a list of {key}")
    if len(value) > limit:
        raise FlowTooLargeError(key, len(value), limit, setting)
    return value


def _read_nodes(raw_nodes: Sequence[Any]) -> tuple[dict[str, FlowNode], set[str]]:
    """The nodes by id, and the ids of the notes."""
    nodes: dict[str, FlowNode] = {}
    notes: set[str] = set()
    for index, raw in enumerate(raw_nodes):
        node = _mapping(raw, f"node {index}")
        node_id = node.get("id")
        if not isinstance(node_id, str) or not node_id:
            raise NotAFlowError(f"node {index} has no id", fix="give every node an id of its own")
        if node_id in nodes or node_id in notes:
            raise DuplicateNodeError(node_id)
        if node.get("type") == _NOTE:
            notes.add(node_id)
        else:
            nodes[node_id] = _read_node(node_id, node)
    return nodes, notes


def _read_node(node_id: str, node: Mapping[str, Any]) -> FlowNode:
    data = _mapping(node.get("data"), f"'data' of the node {node_id!r}")
    component = data.get("type")
    if not isinstance(component, str) or not component:
        raise NotAFlowError(f"the node {node_id!r} names no component type", fix="set data.type of the node")
    inner = _mapping(data.get("node", {}), f"'data.node' of the node {node_id!r}")
    template = _mapping(inner.get("template", {}), f"the template of the node {node_id!r}")
    display_name = inner.get("display_name") or data.get("display_name") or component
    return FlowNode(
        id=node_id,
        component=component,
        display_name=str(display_name),
        fields={
            name: _read_field(field) for name, field in template.items() if isinstance(field, Mapping) and name != _CODE
        },
        frozen=inner.get("frozen") is True,
    )


def _read_field(field: Mapping[str, Any]) -> FieldValue:
    kind = str(field.get("type", "str"))
    value = field.get("value")
    if kind == "file":
        value = field.get("file_path") or value
    return FieldValue(
        value=value,
        type=kind,
        load_from_db=bool(field.get("load_from_db")),
        secret=bool(field.get("password")) or field.get("_input_type") == "SecretStrInput",
    )


def _read_edges(raw_edges: Sequence[Any], nodes: Mapping[str, FlowNode], notes: set[str]) -> tuple[FlowEdge, ...]:
    edges: list[FlowEdge] = []
    for index, raw in enumerate(raw_edges):
        edge = _mapping(raw, f"edge {index}")
        source, target = _end(edge, "source"), _end(edge, "target")
        if source in notes or target in notes:
            continue
        for end in (source, target):
            if end not in nodes:
                raise DanglingEdgeError(f"edge {index}", end)
        edges.append(
            FlowEdge(
                source=source,
                output=_handle(edge, "sourceHandle", "name", index),
                target=target,
                field=_handle(edge, "targetHandle", "fieldName", index),
            )
        )
    return tuple(dict.fromkeys(edges))


def _end(edge: Mapping[str, Any], side: str) -> str:
    node_id = edge.get(side)
    return node_id if isinstance(node_id, str) else ""


def _handle(edge: Mapping[str, Any], side: str, key: str, index: int) -> str:
    """The name in a handle: from the edge's data, else from the text form of the handle, else that text itself."""
    data = edge.get("data")
    handle = data.get(side) if isinstance(data, Mapping) else None
    if handle is None:
        handle = edge.get(side)
    if isinstance(handle, str) and handle.startswith("{"):
        try:
            handle = orjson.loads(handle.replace(_QUOTE, '"'))
        except orjson.JSONDecodeError:
            handle = None
    name = handle.get(key) if isinstance(handle, Mapping) else handle
    if not isinstance(name, str) or not name:
        raise NotAFlowError(f"edge {index} has no {side} that names its {key}", fix="connect the two nodes again")
    return name


def _kind(value: object) -> str:
    return "null" if value is None else f"a {type(value).__name__}"
