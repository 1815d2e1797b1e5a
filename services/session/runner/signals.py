"""Vertices that wait for others without an edge: who reads a key of the run's state, for those who write it."""

from collections.abc import Iterator, Mapping

import msgspec

from bedplate.services.session.runner.component import ComponentType
from bedplate.services.session.runner.document import FlowNode
from bedplate.services.session.runner.order import topological_order
from bedplate.services.session.runner.plan import Plan

__all__ = ["with_signals"]


def with_signals(plan: Plan, nodes: Mapping[str, FlowNode], types: Mapping[str, ComponentType]) -> Plan:
    """The plan, in which each vertex that reads a key comes after those that write it.

    A writer that needs what the reader gives cannot come before it; the reader then finds what is there from before.
    Keys that come over edges or from variables are not known yet, and order nothing.

    Raises:
        CycleError: Readers and writers of several keys wait for each other.
    """
    writers: dict[str, list[str]] = {}
    readers: list[tuple[str, str]] = []
    for vertex in plan.order:
        if key := _key(plan, nodes[vertex], types[vertex].writes_state):
            writers.setdefault(key, []).append(vertex)
        if key := _key(plan, nodes[vertex], types[vertex].reads_state):
            readers.append((key, vertex))
    if not any(key in writers for key, _ in readers):
        return plan
    parents = {vertex: list(found) for vertex, found in plan.parents.items()}
    children = {vertex: list(found) for vertex, found in plan.children.items()}
    bit, after = _descendants(plan)
    for key, reader in readers:
        known = set(parents[reader])
        for writer in writers.get(key, ()):
            if writer not in known and not after[reader] & bit[writer]:
                parents[reader].append(writer)
                children[writer].append(reader)
    order = topological_order(plan.order, _edges(children))
    return msgspec.structs.replace(plan, order=order, parents=parents, children=children)


def _key(plan: Plan, node: FlowNode, field: str | None) -> str | None:
    """The key that a vertex writes or reads, where the flow says it."""
    if field is None or field not in node.fields or any(edge.field == field for edge in plan.incoming[node.id]):
        return None
    found = node.fields[field]
    return found.value if isinstance(found.value, str) and not found.load_from_db else None


def _descendants(plan: Plan) -> tuple[dict[str, int], dict[str, int]]:
    """A bit for each vertex; and for each, the bits of itself and of all that come after it."""
    bit = {vertex: 1 << place for place, vertex in enumerate(plan.order)}
    after = dict(bit)
    for vertex in reversed(plan.order):
        for child in plan.children[vertex]:
            after[vertex] |= after[child]
    return bit, after


def _edges(children: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    return ((source, target) for source, targets in children.items() for target in targets)
