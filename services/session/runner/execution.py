"""One run: tasks for the vertices that have their inputs, and the order in which their events come out."""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Any, TypeAlias

import msgspec

from bedplate.services.session.runner.channel import Channel
from bedplate.services.session.runner.component import ComponentType, Toolbox
from bedplate.services.session.runner.context import VertexContext
from bedplate.services.session.runner.document import FlowNode
from bedplate.services.session.runner.errors import UnknownOutputError
from bedplate.services.session.runner.events import (
    RunEvent,
    RunFinished,
    RunOutput,
    VertexFinished,
    VertexStarted,
    VerticesSorted,
)
from bedplate.services.session.runner.failures import failure
from bedplate.services.session.runner.inputs import gather_inputs
from bedplate.services.session.runner.plan import Plan
from bedplate.services.session.runner.port import RunContext, RunInputs
from bedplate.services.session.runner.values import describe, summary

__all__ = ["Execution"]

_BuildTask: TypeAlias = "asyncio.Task[_Built]"


class _Built(msgspec.Struct, frozen=True, kw_only=True):
    """What a vertex gave."""

    values: Mapping[str, Any]
    output: RunOutput
    context: VertexContext


class Execution:
    """A run that goes on.

    Args:
        plan: What to build, and in which order.
        nodes: The vertices, with the caller's values in them.
        types: Their component types.
        inputs: What the caller asks.
        context: On whose behalf.
        toolbox: What components are lent.
        parallel_nodes: Most vertices that are built at once.
        pending_events: Most events that wait for their reader.
    """

    def __init__(
        self,
        plan: Plan,
        nodes: Mapping[str, FlowNode],
        types: Mapping[str, ComponentType],
        *,
        inputs: RunInputs,
        context: RunContext,
        toolbox: Toolbox,
        parallel_nodes: int,
        pending_events: int,
    ) -> None:
        self._plan = plan
        self._nodes = nodes
        self._types = types
        self._inputs = inputs
        self._context = context
        self._toolbox = toolbox
        self._parallel_nodes = parallel_nodes
        self._channel: Channel[RunEvent | _BuildTask] = Channel(pending_events)
        self._tasks: dict[_BuildTask, str] = {}
        self._ready = deque(plan.roots)
        self._missing = {vertex: len(parents) for vertex, parents in plan.parents.items()}
        self._begun: dict[str, float] = {}
        self._built: dict[str, _Built] = {}

    async def events(self) -> AsyncGenerator[RunEvent, None]:
        """What happens, until the run ends; :meth:`close` must follow."""
        yield VerticesSorted(ids=self._plan.roots, to_run=self._plan.order)
        self._start_ready()
        while self._tasks:
            item = await self._channel.get()
            if not isinstance(item, asyncio.Task):
                yield item
                continue
            vertex_id = self._tasks.pop(item)
            error = asyncio.CancelledError() if item.cancelled() else item.exception()
            if error is not None:
                await self.close()
                failed = failure(error, vertex_id)
                yield VertexFinished(
                    vertex_id=vertex_id,
                    valid=False,
                    params=failed.message,
                    error=failed.message,
                    duration_ms=self._elapsed_ms(vertex_id),
                )
                yield failed
                return
            yield self._finish(vertex_id, item.result())
            self._start_ready()
        yield RunFinished(outputs=self._reported())

    async def close(self) -> None:
        """Cancel what still runs, and return when nothing does, however often the caller is cancelled meanwhile."""
        self._channel.close()
        for task in self._tasks:
            task.cancel()
        cancelled: asyncio.CancelledError | None = None
        while pending := [task for task in self._tasks if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as error:
                cancelled = error
        for task in self._tasks:
            if not task.cancelled():
                task.exception()
        self._tasks.clear()
        if cancelled is not None:
            raise cancelled

    def _start_ready(self) -> None:
        while self._ready and len(self._tasks) < self._parallel_nodes:
            vertex_id = self._ready.popleft()
            self._begun[vertex_id] = time.perf_counter()
            task = asyncio.create_task(self._build(vertex_id), name=f"bedplate-vertex-{vertex_id}")
            self._tasks[task] = vertex_id
            # Called after the task's last event was put into the channel, so that its end comes out after that.
            task.add_done_callback(self._channel.push)

    async def _build(self, vertex_id: str) -> _Built:
        node, component = self._nodes[vertex_id], self._types[vertex_id]
        inputs = await self._gather(vertex_id)
        taken = self._plan.wanted(vertex_id)
        context = VertexContext(
            self._context,
            self._toolbox,
            self._channel.put,
            vertex_id=vertex_id,
            display_name=node.display_name,
            icon=component.icon,
            wanted=taken or frozenset(output.name for output in component.outputs[:1]),
            streams=self._streams(vertex_id),
        )
        digest = _digest(node) if node.frozen else ""
        kept = await self._context.results.get(vertex_id, digest) if node.frozen else None
        if kept is not None and taken <= kept.keys():
            return _Built(values=kept, output=self._output(node, kept, context, reused=True), context=context)
        values = await component().build(inputs, context)
        # What speaks in the conversation must do so in each run.
        if node.frozen and context.message is None:
            await self._context.results.put(vertex_id, digest, values)
        for name in taken:
            if name not in values:
                raise UnknownOutputError(vertex_id, name)
        return _Built(values=values, output=self._output(node, values, context), context=context)

    async def _gather(self, vertex_id: str) -> Mapping[str, Any]:
        """The inputs of a vertex; tells that it begins, also where they cannot be had."""
        try:
            inputs = await gather_inputs(
                self._nodes[vertex_id],
                self._types[vertex_id],
                self._plan.incoming[vertex_id],
                {parent: self._built[parent].values for parent in self._plan.parents[vertex_id]},
                self._context.secret,
            )
        except Exception:
            await self._tell_started(vertex_id, {})
            raise
        await self._tell_started(vertex_id, inputs.shown)
        return inputs.values

    async def _tell_started(self, vertex_id: str, shown: dict[str, Any]) -> None:
        node = self._nodes[vertex_id]
        await self._channel.put(
            VertexStarted(
                vertex_id=vertex_id,
                name=node.display_name,
                kind=self._types[vertex_id].kind,
                inputs=shown,
                component=node.component,
                parent_ids=tuple(self._plan.parents[vertex_id]),
            )
        )

    def _output(
        self, node: FlowNode, values: Mapping[str, Any], context: VertexContext, *, reused: bool = False
    ) -> RunOutput:
        return RunOutput(
            vertex_id=node.id,
            display_name=node.display_name,
            component=node.component,
            outputs={name: describe(value) for name, value in values.items()},
            artifacts=context.artifacts(),
            message=context.message,
            duration_ms=self._elapsed_ms(node.id),
            reused=reused,
        )

    def _finish(self, vertex_id: str, built: _Built) -> VertexFinished:
        self._built[vertex_id] = built
        next_ids = []
        for child in self._plan.children[vertex_id]:
            self._missing[child] -= 1
            if not self._missing[child]:
                next_ids.append(child)
        self._ready.extend(next_ids)
        return VertexFinished(
            vertex_id=vertex_id,
            valid=True,
            outputs=built.output.outputs,
            artifacts=built.output.artifacts,
            params=summary(built.output.outputs),
            usage=built.context.usage,
            duration_ms=built.output.duration_ms,
            reused=built.output.reused,
            next_ids=tuple(next_ids),
        )

    def _reported(self) -> tuple[RunOutput, ...]:
        """The outputs that the caller asks for."""
        asked, kind = self._inputs.output_component, self._inputs.output_type
        chosen = []
        for vertex_id in self._plan.order:
            node, output_type = self._nodes[vertex_id], self._types[vertex_id].output_type
            if asked:
                fits = asked in (node.id, node.display_name, node.component)
            else:
                fits = kind == "debug" or (output_type is not None and kind in ("any", output_type))
            if fits:
                chosen.append(self._built[vertex_id].output)
        return tuple(chosen)

    def _streams(self, vertex_id: str) -> bool:
        """Whether a chat output takes what the vertex says."""
        return any(
            edge.source == vertex_id and edge.field == "input_value"
            for child in self._plan.children[vertex_id]
            if self._types[child].output_type == "chat"
            for edge in self._plan.incoming[child]
        )

    def _elapsed_ms(self, vertex_id: str) -> float:
        return (time.perf_counter() - self._begun[vertex_id]) * 1e3


def _digest(node: FlowNode) -> str:
    """A digest of the values that a vertex holds."""
    return hashlib.blake2b(msgspec.msgpack.encode(node.fields, enc_hook=repr), digest_size=16).hexdigest()
