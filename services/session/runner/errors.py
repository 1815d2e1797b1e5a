"""What is wrong with a flow document, one class per defect; each names the node or edge and the fix.

::

    InvalidInputError
    └── FlowError                 the document is not a flow that can run
        ├── NotAFlowError         it has no nodes or edges, or one of them has no sense
        ├── DuplicateNodeError    two nodes have the same id
        ├── DanglingEdgeError     an edge names a node that is not there
        ├── CycleError            nodes need each other in a circle
        ├── UnknownVertexError    a request names a node that is not there
        └── FlowTooLargeError     too many bytes, nodes or edges (also a TooLargeError)
"""

from collections.abc import Sequence

from bedplate.services.errors import InvalidInputError, TooLargeError

__all__ = [
    "CycleError",
    "DanglingEdgeError",
    "DuplicateNodeError",
    "FlowError",
    "FlowTooLargeError",
    "NotAFlowError",
    "UnknownVertexError",
]

_SERVICE = "session"


class FlowError(InvalidInputError):
    """The document is not a flow that can run.

    Args:
        what: What is wrong with it.
        fix: What to do about it.
    """

    code = "invalid_flow"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, service=_SERVICE, fix=fix)


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
