"""STATE-1, STATE-2: the state of runs: reached by components, gone with the run, apart between users."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from bedplate.services.errors import InvalidInputError
from bedplate.services.session import NewFlow
from bedplate.services.session.runner import RunInputs
from bedplate.services.shared_component_cache import Component, ComponentContext
from bedplate.services.shared_component_cache.component import Output
from bedplate.services.shared_component_cache.component_state import SharedState
from bedplate.services.state import StateClosedError
from bedplate.wiring.execution import FlowRunError
from bedplate.wiring.testing.flows import Flow as FlowText

GO = RunInputs(output_type="debug")


class Probe(Component):
    """Fills the state of its run, and then does what a test says."""

    type_name = "Probe"
    outputs = (Output(name="out"),)
    then: ClassVar[Any] = None
    filled: ClassVar[asyncio.Event]
    states: ClassVar[list[SharedState]]

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        state = context.state
        self.states.append(state)
        await state.set("key", context.session_id)
        await state.append("seen", "once more", scope="session")
        self.filled.set()
        if self.then is not None:
            await type(self).then(state)
        return {"out": await state.get("seen", scope="session")}


@pytest.fixture(autouse=True)
def _probe(container, monkeypatch):
    monkeypatch.setattr(Probe, "filled", asyncio.Event(), raising=False)
    monkeypatch.setattr(Probe, "states", [], raising=False)
    monkeypatch.setattr(Probe, "then", None)
    container.shared_component_cache().register(Probe)


@pytest.fixture
async def probe(new_flow):
    return await new_flow(FlowText().node("probe", "Probe"))


def _seen(result: Any) -> Any:
    return result.outputs[0].outputs["out"].value


async def _fail(_state: SharedState) -> None:
    raise ValueError


async def _hang(_state: SharedState) -> None:
    await asyncio.Event().wait()


async def _hang_listening(state: SharedState) -> None:
    async with await state.subscribe("never") as changes, await state.subscribe("never", scope="user") as others:
        await asyncio.gather(anext(changes), anext(others))


@pytest.mark.parametrize("end", ["success", "failure", "cancel", "timeout"])
async def test_the_state_of_a_run_ends_with_it(end, execution, probe, owner, container, events_of, monkeypatch):
    """STATE-1, defect "states never removed": however it ends; what its session keeps stays."""
    then = {"success": None, "failure": _fail, "cancel": _hang_listening, "timeout": _hang}[end]
    monkeypatch.setattr(Probe, "then", then)
    job = await execution.start(owner, probe, GO, session_id="s", timeout=3600.0)
    await Probe.filled.wait()
    if end == "cancel":
        await container.job_queue().cancel(owner, job.id)
    elif end == "timeout":
        jobs = container.job_queue()
        asyncio.get_running_loop().call_soon(jobs._supervisor.time_out, jobs._jobs.get(job.id))
    assert [event async for event in events_of(job)][-1].type == {"success": "end", "cancel": "cancelled"}.get(
        end, "error"
    )
    usage = container.state().usage()
    assert (usage.scopes, usage.entries, usage.subscriptions) == (1, 1, 0)
    (late,) = Probe.states
    for call in (late.set("key", 1), late.get("seen", scope="session"), late.subscribe("key")):
        with pytest.raises(StateClosedError):
            await call
    assert container.state().usage().entries == 1


async def test_subscriptions_end_with_the_run(execution, probe, owner, container, monkeypatch):
    """STATE-2: also those that a component left open, of every scope, and whoever waits for them."""
    waiting: list[asyncio.Future[Any]] = []

    async def leave_open(state: SharedState) -> None:
        for scope in ("run", "session", "user"):
            changes = await state.subscribe("key", scope=scope)
            waiting.append(asyncio.ensure_future(anext(changes, "ended")))

    monkeypatch.setattr(Probe, "then", leave_open)
    await execution.run(owner, probe, GO)
    first, *others = await asyncio.gather(*waiting)
    assert first.kind == "delete"
    assert others == ["ended", "ended"]
    assert container.state().usage().subscriptions == 0


async def test_sessions_and_users_keep_apart(execution, probe, owner, stranger, container):
    """STATE-1, ALL-4: a session's runs share its values; another session's and another user's do not."""
    assert len(_seen(await execution.run(owner, probe, GO, session_id="s"))) == 1
    assert len(_seen(await execution.run(owner, probe, GO, session_id="s"))) == 2
    assert len(_seen(await execution.run(owner, probe, GO, session_id="t"))) == 1
    theirs = await container.session().flows.create(
        stranger, NewFlow(name="flow", data=FlowText().node("probe", "Probe").data)
    )
    assert len(_seen(await execution.run(stranger, theirs, GO, session_id="s"))) == 1


async def test_concurrent_runs_keep_apart(execution, probe, owner, container, monkeypatch):
    """STATE-1: each reads what it wrote itself."""
    read: list[Any] = []
    all_there = asyncio.Barrier(8)

    async def meet(state: SharedState) -> None:
        await all_there.wait()
        read.append(await state.get("key"))

    monkeypatch.setattr(Probe, "then", meet)
    await asyncio.gather(*(execution.run(owner, probe, GO, session_id=f"s{number}") for number in range(8)))
    assert sorted(read) == [f"s{number}" for number in range(8)]


async def test_flows_do_not_reach_the_applications_state(execution, probe, owner, monkeypatch):
    """ALL-4: what one user's flow wrote there, all others would read."""
    refused: list[InvalidInputError] = []

    async def reach(state: Any) -> None:
        try:
            await state.set("key", 1, scope="app")
        except InvalidInputError as error:
            refused.append(error)
            raise

    monkeypatch.setattr(Probe, "then", reach)
    with pytest.raises(FlowRunError, match="'app' is not a scope"):
        await execution.run(owner, probe, GO)
    assert refused


async def test_notify_and_listen_in_a_run(execution, new_flow, owner):
    """STATE-1, SES-3: the built-in pair, from the registry to the answer."""
    flow = FlowText().node("in", "ChatInput").node("notify", "Notify", context_key="k")
    flow.edge("in", "message", "notify", "input_value").node("listen", "Listen", context_key="k")
    flow.node("out", "ChatOutput").edge("listen", "data", "out", "input_value")
    result = await execution.run(owner, await new_flow(flow), RunInputs(input_value="through the state"))
    assert result.outputs[0].message.text == "through the state"
