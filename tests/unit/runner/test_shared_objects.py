"""SCC-3: components get at live objects through the context of their run."""

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from bedplate.services.session.runner import FlowDocument, RunInputs
from bedplate.services.shared_component_cache import Component, ComponentContext, Output
from bedplate.wiring.testing.flows import Flow, Registry, Stage


class Client:
    def __init__(self) -> None:
        self.calls = 0
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True


class Calls(Component):
    """Calls another system through a client that it shares with other runs."""

    type_name = "Calls"
    outputs = (Output(name="out"),)
    used: list[Client] = []  # noqa: RUF012 - what the test looks at

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        async def make() -> Client:
            return Client()

        async with context.shared("client of an address", make) as client:
            client.calls += 1
            self.used.append(client)
        return {"out": "done"}


async def _run(stage: Stage, flow: Flow, user_id: uuid.UUID) -> None:
    context = msgspec.structs.replace(stage.context(), user_id=user_id)
    async for _ in stage.runner().run(FlowDocument.parse(flow.data), RunInputs(), context):
        pass


async def test_runs_of_one_user_share_a_client(stage: Stage, registry: Registry, flow: Flow) -> None:
    """SCC-3: made once for all runs of a user, another one for another user, closed at the end."""
    Calls.used.clear()
    registry.add(Calls)
    flow.node("one", "Calls").node("two", "Calls")
    ada, eve = uuid.uuid4(), uuid.uuid4()
    for user_id in (ada, ada, eve):
        await _run(stage, flow, user_id)
    first, last = Calls.used[0], Calls.used[-1]
    assert [client is first for client in Calls.used] == [True] * 4 + [False] * 2
    assert (first.calls, last.calls) == (4, 2)
    await stage.objects.stop()
    assert first.closed
    assert last.closed
