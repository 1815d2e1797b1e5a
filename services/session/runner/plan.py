"""Which vertices of a flow a run builds, and what they wait for."""

from collections.abc import Mapping

import msgspec

from bedplate.services.session.runner.document import FlowDocument, FlowEdge, FlowNode
from bedplate.services.session.runner.errors import UnknownVertexError
from bedplate.services.session.runner.order import reachable
from bedplate.services.session.runner.port import RunInputs

__all__ = ["Plan", "plan_run"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A run, before it begins.

    Attributes:
        order: The vertices to build, each after those that it takes values from.
        incoming: The edges that end at each of them.
        parents: The vertices that each of them takes values from.
        children: The vertices that take values from each of them.
    """

    order: tuple[str, ...]
    incoming: dict[str, list[FlowEdge]]
    parents: dict[str, list[str]]
    children: dict[str, list[str]]

    @property
    def roots(self) -> tuple[str, ...]:
        """The vertices that wait for none."""
        return tuple(vertex for vertex in self.order if not self.parents[vertex])

    def wanted(self, vertex: str) -> frozenset[str]:
        """The names of the vertex's outputs that other vertices of the run take."""
        return frozenset(
            edge.output for child in self.children[vertex] for edge in self.incoming[child] if edge.source == vertex
        )


def plan_run(flow: FlowDocument, inputs: RunInputs) -> Plan:
    """Choose the vertices: all, or those that the start and stop components leave.

    Raises:
        UnknownVertexError: A start, stop or output component is not in the flow.
    """
    incoming: dict[str, list[FlowEdge]] = {node: [] for node in flow.nodes}
    for edge in flow.edges:
        incoming[edge.target].append(edge)
    parents = {node: list(dict.fromkeys(edge.source for edge in edges)) for node, edges in incoming.items()}
    children: dict[str, list[str]] = {node: [] for node in flow.nodes}
    for node in flow.order:
        for parent in parents[node]:
            children[parent].append(node)
    chosen = _chosen(flow.nodes, inputs, parents, children)
    return Plan(
        order=tuple(node for node in flow.order if node in chosen),
        incoming={node: incoming[node] for node in chosen},
        parents={node: parents[node] for node in chosen},
        children={node: [child for child in children[node] if child in chosen] for node in chosen},
    )


def _chosen(
    nodes: Mapping[str, FlowNode],
    inputs: RunInputs,
    parents: dict[str, list[str]],
    children: dict[str, list[str]],
) -> set[str]:
    for field in ("start_component_id", "stop_component_id"):
        component_id = getattr(inputs, field)
        if component_id is not None and component_id not in nodes:
            raise UnknownVertexError(field, component_id)
    if inputs.output_component and not any(
        inputs.output_component in (node.id, node.display_name, node.component) for node in nodes.values()
    ):
        raise UnknownVertexError("output_component", inputs.output_component)
    chosen = set(nodes)
    if inputs.start_component_id is not None:
        chosen = reachable([inputs.start_component_id], children)
    if inputs.stop_component_id is not None:
        chosen &= reachable([inputs.stop_component_id], parents)
    return reachable(chosen, parents)
