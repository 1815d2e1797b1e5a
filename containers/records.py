"""What the report says of a plan."""

from bedplate.containers.plan import Node, Plan
from bedplate.containers.report import Record, State

__all__ = ["backend_of", "left_out", "record_of"]


def record_of(node: Node) -> Record:
    """The record of a node before it is started."""
    return Record(
        name=node.name,
        backend=node.choice.backend.name if node.choice else None,
        origin="override" if node.overridden else node.choice.origin if node.choice else "only one",
        needs=sorted(need.name for need in node.needs),
        required=node.required,
    )


def left_out(plan: Plan) -> list[Record]:
    """The records of the services that the plan leaves out."""
    return [Record(name=name, state=State.NOT_NEEDED, origin="-") for name in plan.left_out]


def backend_of(value: object) -> str:
    """What the report calls an object without a declared backend."""
    backend = getattr(value, "backend", None)
    return backend if isinstance(backend, str) else type(value).__name__
