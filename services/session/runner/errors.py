"""What is wrong with a flow, one class per defect; each names the node or edge and the fix.

::

    InvalidInputError
    └── FlowError                 the document is not a flow that can run
        ├── NotAFlowError         it has no nodes or edges, or one of them has no sense
        ├── DuplicateNodeError    two nodes have the same id
        ├── DanglingEdgeError     an edge names a node that is not there
        ├── CycleError            nodes need each other in a circle
        ├── UnknownVertexError    a request names a node that is not there
        ├── FlowTooLargeError     too many bytes, nodes or edges (also a TooLargeError)
        └── VertexError           a node cannot be built
            ├── UnknownComponentError   its component type is not registered
            ├── MissingInputError       a field that it needs has no value
            ├── MissingVariableError    a field names a variable that the user does not have
            └── UnknownOutputError      an edge takes an output that a node does not give
"""

from collections.abc import Sequence

from bedplate.services.errors import InvalidInputError, TooLargeError

__all__ = [
    "CycleError",
    "DanglingEdgeError",
    "DuplicateNodeError",
    "FlowError",
    "FlowTooLargeError",
    "MissingInputError",
    "MissingVariableError",
    "NotAFlowError",
    "UnknownComponentError",
    "UnknownOutputError",
    "UnknownVertexError",
    "VertexError",
]

_SERVICE = "session"
_LONGEST = 500
"""Most characters of a text that names parts of a document, which may be of any length."""


class FlowError(InvalidInputError):
    """The document is not a flow that can run.

    Args:
        what: What is wrong with it.
        fix: What to do about it.
    """

    code = "invalid_flow"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what if len(what) <= _LONGEST else what[:_LONGEST] + "…", service=_SERVICE, fix=fix)


class NotAFlowError(FlowError):
    """The document has no nodes or edges, or one of them has no sense."""

    code = "not_a_flow"


class DuplicateNodeError(FlowError):
    """Two nodes have the same id."""

    code = "duplicate_node"

    def __init__(self, node_id: str) -> None:
        super().__init__(f"two nodes have the id {node_id!r}", fix="give every node an id of its own")


class DanglingEdgeError(FlowError):
    """An edge names a node that is not there."""

    code = "dangling_edge"

    def __init__(self, edge: str, node_id: str) -> None:
        super().__init__(f"{edge} names the node {node_id!r}, which is not in the flow", fix="remove the edge")


class CycleError(FlowError):
    """Nodes need each other in a circle.

    Args:
        chain: The ids around the circle, the first one again at the end.
    """

    code = "flow_cycle"

    def __init__(self, chain: Sequence[str]) -> None:
        super().__init__(
            f"the nodes need each other in a circle: {' -> '.join(chain)}",
            fix="remove one of the edges between them",
        )
        self.chain = tuple(chain)


class UnknownVertexError(FlowError):
    """A request names a node that is not there."""

    code = "unknown_vertex"

    def __init__(self, field: str, node_id: str) -> None:
        super().__init__(f"{field} names {node_id!r}, which is not in the flow", fix="name one of the flow's nodes")


class FlowTooLargeError(FlowError, TooLargeError):
    """The document has too many bytes, nodes or edges.

    Args:
        what: The thing counted, such as ``"nodes"``.
        count: How many there are.
        limit: How many there may be.
        setting: The setting that says so.
    """

    code = "flow_too_large"

    def __init__(self, what: str, count: int, limit: int, setting: str) -> None:
        super().__init__(
            f"the flow has {count} {what}, more than the {limit} allowed",
            fix=f"make the flow smaller, or raise {setting}",
        )


class VertexError(FlowError):
    """A node cannot be built.

    Attributes:
        node_id: The node.
    """

    code = "vertex_error"

    def __init__(self, node_id: str, what: str, *, fix: str) -> None:
        super().__init__(what, fix=fix)
        self.node_id = node_id


class UnknownComponentError(VertexError):
    """The component type of a node is not registered."""

    code = "unknown_component"

    def __init__(self, node_id: str, component: str, *, fix: str | None = None) -> None:
        super().__init__(
            node_id,
            f"the component type {component!r} of the node {node_id!r} is not known",
            fix=fix or "remove the node, or register a component of that name",
        )


class MissingInputError(VertexError):
    """A field that a node needs has no value."""

    code = "missing_input"

    def __init__(self, node_id: str, field: str) -> None:
        super().__init__(
            node_id,
            f"the node {node_id!r} needs a value for its field {field!r}",
            fix="set the field, or connect a node to it",
        )


class MissingVariableError(VertexError):
    """A field names a variable that the user does not have.

    Args:
        node_id: The node.
        field: The field.
        variable: The name, where it is surely no secret put there by mistake.
    """

    code = "missing_variable"

    def __init__(self, node_id: str, field: str, variable: str | None) -> None:
        named = f"the variable {variable}, which does not exist" if variable else "a variable that does not exist"
        super().__init__(
            node_id,
            f"the field {field!r} of the node {node_id!r} names {named}",
            fix=f"create the variable {variable}" if variable else "create the variable, or choose another one",
        )


class UnknownOutputError(VertexError):
    """An edge takes an output that a node does not give."""

    code = "unknown_output"

    def __init__(self, node_id: str, output: str) -> None:
        super().__init__(
            node_id,
            f"an edge takes the output {output!r} of the node {node_id!r}, which does not give it",
            fix="connect the two nodes again",
        )
