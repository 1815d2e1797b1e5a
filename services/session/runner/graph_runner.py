"""The graph runner: builds every vertex as soon as its inputs are there, independent ones at once."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from bedplate.services.errors import NotFoundError
from bedplate.services.session.runner.component import ComponentRegistry, ComponentType, Toolbox
from bedplate.services.session.runner.document import FlowDocument
from bedplate.services.session.runner.errors import FlowError, UnknownComponentError
from bedplate.services.session.runner.events import RunEvent
from bedplate.services.session.runner.execution import Execution
from bedplate.services.session.runner.failures import failure
from bedplate.services.session.runner.plan import plan_run
from bedplate.services.session.runner.port import RunContext, RunInputs
from bedplate.services.session.runner.signals import with_signals
from bedplate.services.session.runner.tweaks import apply_input, apply_tweaks

__all__ = ["GraphRunner", "RunLimits"]


class RunLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one run may do at once.

    Attributes:
        parallel_nodes: Most vertices that are built at once.
        pending_events: Most events that wait for their reader.
    """

    parallel_nodes: int = 16
    pending_events: int = 256


class GraphRunner:
    """The default runner.

    Args:
        components: Where component types are found.
        toolbox: What components are lent.
        limits: How much one run may do at once.
    """

    def __init__(self, components: ComponentRegistry, toolbox: Toolbox, limits: RunLimits = RunLimits()) -> None:  # noqa: B008 - frozen
        self._components = components
        self._toolbox = toolbox
        self._limits = limits

    async def run(self, flow: FlowDocument, inputs: RunInputs, context: RunContext) -> AsyncGenerator[RunEvent, None]:
        """Execute a flow once; see :class:`~bedplate.services.session.runner.port.Runner`."""
        try:
            execution = self._prepare(flow, inputs, context)
        except FlowError as error:
            yield failure(error, None)
            return
        try:
            async with aclosing(execution.events()) as events:
                async for event in events:
                    yield event
        finally:
            await execution.close()

    def _prepare(self, flow: FlowDocument, inputs: RunInputs, context: RunContext) -> Execution:
        plan = plan_run(flow, inputs)
        types = {vertex_id: self._component(vertex_id, flow) for vertex_id in plan.order}
        by_component = {flow.nodes[vertex_id].component: component for vertex_id, component in types.items()}
        nodes = apply_tweaks({vertex_id: flow.nodes[vertex_id] for vertex_id in plan.order}, inputs.tweaks)
        return Execution(
            with_signals(plan, nodes, types),
            apply_input(nodes, inputs, {name: found.input_type for name, found in by_component.items()}),
            types,
            inputs=inputs,
            context=context,
            toolbox=self._toolbox,
            parallel_nodes=self._limits.parallel_nodes,
            pending_events=self._limits.pending_events,
        )

    def _component(self, vertex_id: str, flow: FlowDocument) -> ComponentType:
        name = flow.nodes[vertex_id].component
        try:
            return self._components.get(name)
        except NotFoundError as error:
            raise UnknownComponentError(vertex_id, name, fix=error.fix) from None
