"""Notify and Listen: values that go through a flow by the state of its run."""

import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from bedplate.services.session.runner import RunEvent, RunFailed, RunLimits, VertexFinished, VertexStarted
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache import Component, ComponentContext, Field, Output
from bedplate.services.state.factory import build_state
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.runs.state import BoundState
from bedplate.wiring.testing.flows import Flow, Registry, Stage


class Give(Component):
    """Gives whatever the class is told to."""

    type_name = "Give"
    fields = (Field(name="given", type="other"),)
    outputs = (Output(name="out"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        return {"out": inputs["given"]}


class GiveObject(Give):
    """Gives what is no data."""

    type_name = "GiveObject"

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        return {"out": object()}


@pytest.fixture(autouse=True)
async def _state(
    stage: Stage, registry: Registry, settings: SettingsService, telemetry: TelemetryService
) -> AsyncIterator[None]:
    registry.add(Give, GiveObject)
    state = build_state(settings, telemetry)
    await state.start()
    stage.state = BoundState(state, uuid.uuid4(), uuid.uuid4(), "session", uuid.uuid4())
    yield
    await state.stop()


def _heard(events: list[RunEvent], vertex: str = "listen") -> Any:
    (finished,) = [event for event in events if isinstance(event, VertexFinished) and event.vertex_id == vertex]
    return finished.outputs["data"].value


def _notify(flow: Flow, name: str, key: str, given: Any, **fields: Any) -> None:
    flow.node(f"give-{name}", "Give", given=given if not isinstance(given, Mapping) else {"value": given})
    flow.node(name, "Notify", context_key=key, **fields).edge(f"give-{name}", "out", name, "input_value")


async def test_who_listens_hears_without_an_edge(stage: Stage, flow: Flow) -> None:
    """STATE-1, SES-3: it waits for those who notify, without taking one of the places that they need."""
    stage.limits = RunLimits(parallel_nodes=1)
    flow.node("listen", "Listen", context_key="k")
    _notify(flow, "notify", "k", "hello")
    events = await stage.events(flow.data, output_type="debug")
    assert _heard(events)["text"] == "hello"
    (started,) = [event for event in events if isinstance(event, VertexStarted) and event.vertex_id == "listen"]
    assert started.parent_ids == ("notify",)


async def test_several_notifications(stage: Stage, flow: Flow) -> None:
    """STATE-1: appended to a list; each key apart."""
    for number in range(3):
        _notify(flow, f"n{number}", "k", {"number": number}, append=True)
    _notify(flow, "other", "other", "x")
    flow.node("listen", "Listen", context_key="k").node("deaf", "Listen", context_key="nothing")
    events = await stage.events(flow.data, output_type="debug")
    assert sorted(row["number"] for row in _heard(events)) == [0, 1, 2]
    assert _heard(events, "deaf")["text"] == ""


async def test_a_loop_through_one_key_hears_what_was_there(stage: Stage, flow: Flow) -> None:
    """SES-3: who notifies of what it heard cannot come before it."""
    await stage.state.set("k", "before")
    flow.node("listen", "Listen", context_key="k").node("notify", "Notify", context_key="k")
    flow.edge("listen", "data", "notify", "input_value")
    assert _heard(await stage.events(flow.data, output_type="debug"))["text"] == "before"


async def test_a_circle_through_two_keys_is_refused(stage: Stage, flow: Flow) -> None:
    """ALL-3: by the names of the nodes."""
    for heard, told in (("a", "b"), ("b", "a")):
        flow.node(f"listen-{heard}", "Listen", context_key=heard).node(f"notify-{told}", "Notify", context_key=told)
        flow.edge(f"listen-{heard}", "data", f"notify-{told}", "input_value")
    (failed,) = await stage.events(flow.data, output_type="debug")
    assert isinstance(failed, RunFailed)
    assert failed.code == "flow_cycle"
    assert "listen-a" in failed.message


async def test_what_is_no_data_is_refused(stage: Stage, flow: Flow) -> None:
    """ALL-3: by its type."""
    flow.node("give", "GiveObject").node("notify", "Notify", context_key="k")
    failed = (await stage.events(flow.edge("give", "out", "notify", "input_value").data))[-1]
    assert isinstance(failed, RunFailed)
    assert "type object" in failed.message
    assert await stage.state.get("k") is None
