"""Orders of a graph's nodes."""

from collections import deque
from collections.abc import Iterable, Sequence

from bedplate.services.session.runner.errors import CycleError

__all__ = ["reachable", "topological_order"]


def topological_order(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """All nodes, each after those that have an edge to it (Kahn 1962); ties in the order given.

    Raises:
        CycleError: There is no such order; it names one circle.
    """
    successors: dict[str, list[str]] = {node: [] for node in nodes}
    missing = dict.fromkeys(nodes, 0)
    for source, target in edges:
        successors[source].append(target)
        missing[target] += 1
    ready = deque(node for node in nodes if not missing[node])
    order: list[str] = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for successor in successors[node]:
            missing[successor] -= 1
            if not missing[successor]:
                ready.append(successor)
    if len(order) < len(nodes):
        raise CycleError(_circle(successors, set(nodes).difference(order)))
    return tuple(order)


def reachable(start: Iterable[str], neighbours: dict[str, list[str]]) -> set[str]:
    """The nodes that can be reached from ``start``, those of ``start`` among them."""
    found = set(start)
    pending = list(found)
    while pending:
        for neighbour in neighbours[pending.pop()]:
            if neighbour not in found:
                found.add(neighbour)
                pending.append(neighbour)
    return found


def _circle(successors: dict[str, list[str]], stuck: set[str]) -> list[str]:
    """One circle among the nodes that no order could take, as a chain that ends where it began.

    A stuck node has a stuck predecessor, so that walking backwards must come by some node twice.
    """
    predecessor = {target: source for source in sorted(stuck) for target in successors[source] if target in stuck}
    path = [min(stuck)]
    seen = {path[0]: 0}
    while (previous := predecessor[path[-1]]) not in seen:
        seen[previous] = len(path)
        path.append(previous)
    return [previous, *reversed(path[seen[previous] :])]
