"""Cancellation of a run: at every await, from outside, and by a reader that leaves."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import pytest

from bedplate.services.session.runner import FlowDocument, RunEvent, RunFailed, RunFinished, RunInputs, RunLimits
from bedplate.services.shared_component_cache import Component, ComponentContext, Field, Message, Output
from bedplate.wiring.testing.flows import Flow, Registry, Stage


class Busy(Component):
    """Awaits several times, also while it is cancelled, and counts how many of it are being built."""

    type_name = "Busy"
    fields = (Field(name="value", type="other", input_types=("Message",)),)
    outputs = (Output(name="out"),)
    open = 0

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        Busy.open += 1
        try:
            return await self.work(context)
        finally:
            Busy.open -= 1

    async def work(self, context: ComponentContext) -> Mapping[str, Any]:
        message_id = None
        try:
            for _ in range(3):
                await asyncio.sleep(0)
                message_id = await context.stream_token("x")
            await context.history()
        finally:
            await context.stream_token("the end")
        return {"out": Message(text="xxx", id=message_id)}


@pytest.fixture
def document(registry: Registry, flow: Flow) -> FlowDocument:
    registry.add(Busy)
    for name in "abc":
        flow.node(name, "Busy")
    flow.node("out", "ChatOutput")
    flow.edge("a", "out", "c", "value").edge("b", "out", "c", "value").edge("c", "out", "out", "input_value")
    return FlowDocument.parse(flow.data)


def tasks() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def read(stage: Stage, document: FlowDocument, events: list[RunEvent]) -> None:
    async with aclosing(stage.runner().run(document, RunInputs(), stage.context())) as run:
        async for event in run:
            events.append(event)
            await asyncio.sleep(0)


@pytest.mark.parametrize("pending", [1, 256])
async def test_cancelled_at_every_await(stage: Stage, document: FlowDocument, pending: int) -> None:
    """SES-3: a run that is cancelled at any of its awaits ends with no last event and leaves no task behind.

    Also where branches wait for their reader, and where they have something to say while they are cancelled.
    """
    stage.limits = RunLimits(pending_events=pending)
    for steps in range(1, 500):
        events: list[RunEvent] = []
        task = asyncio.create_task(read(stage, document, events))
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.done():
            assert isinstance(events[-1], RunFinished)
            break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not [event for event in events if isinstance(event, RunFailed)]
        assert tasks() == set()
        assert Busy.open == 0
    else:
        pytest.fail("the run never ended")
    assert steps > 15


async def test_cancelled_again_while_it_ends(stage: Stage, document: FlowDocument, registry: Registry) -> None:
    """A second and third cancellation while branches end does not leave them behind."""
    waiting, may_end = asyncio.Event(), asyncio.Event()

    class Slow(Busy):
        type_name = "Busy"

        async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
            try:
                waiting.set()
                await asyncio.Event().wait()
            finally:
                await may_end.wait()
            return {}

    registry.add(Slow)
    task = asyncio.create_task(read(stage, document, []))
    await waiting.wait()
    for _ in range(3):
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tasks() == set()


@pytest.mark.parametrize("count", range(1, 12))
async def test_a_reader_that_leaves(stage: Stage, document: FlowDocument, count: int) -> None:
    """A reader that leaves after any event waits until no branch is left."""
    async with aclosing(stage.runner().run(document, RunInputs(), stage.context())) as run:
        for _ in range(count):
            await anext(run)
    assert tasks() == set()
    assert Busy.open == 0


async def test_a_timeout_ends_the_run(stage: Stage, flow: Flow, registry: Registry) -> None:
    """A timeout around a run ends it like any cancellation."""

    class Never(Component):
        type_name = "Never"
        outputs = (Output(name="out"),)

        async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
            await asyncio.Event().wait()
            return {}

    registry.add(Never)
    document = FlowDocument.parse(flow.node("a", "Never").data)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await read(stage, document, [])
    assert tasks() == set()
