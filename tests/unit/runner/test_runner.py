"""The graph runner: order, concurrency, values over edges, failures."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from bedplate.services.errors import UnavailableError
from bedplate.services.session.runner import (
    FlowDocument,
    MessageProduced,
    RunEvent,
    RunFailed,
    RunFinished,
    RunInputs,
    RunLimits,
    TokenStreamed,
    VertexFinished,
    VertexStarted,
    VerticesSorted,
)
from bedplate.services.shared_component_cache import Component, ComponentContext, Field, Message, Output
from bedplate.wiring.testing.flows import Flow, Registry, Stage


class Join(Component):
    """Gives its name and what it gets, in brackets."""

    type_name = "Join"
    fields = (Field(name="parts", type="other", input_types=("Message",)),)
    outputs = (Output(name="out"), Output(name="second"))

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        parts = inputs["parts"]
        texts = [str(part) for part in (parts if isinstance(parts, list) else [parts]) if part]
        return {"out": f"{context.vertex_id}({','.join(texts)})", "second": "2"}


class Fail(Component):
    """Raises what the class is told to."""

    type_name = "Fail"
    error: ClassVar[BaseException] = ValueError("password=hunter2 at http://10.0.0.1/")
    fields = (Field(name="parts", type="other", input_types=("Message",)),)
    outputs = (Output(name="out"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        raise self.error


def of(events: list[RunEvent], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def test_every_vertex_waits_for_its_inputs(stage: Stage, flow: Flow, registry: Registry) -> None:
    """SES-3: values go over edges; each vertex starts after those before it finished; one end comes last."""
    registry.add(Join)
    for name in "abcd":
        flow.node(name, "Join")
    for pair in ("ab", "ac", "bd", "cd"):
        flow.edge(pair[0], "out", pair[1], "parts")
    events = await stage.events(flow.data, output_type="debug")

    assert events[0] == VerticesSorted(ids=("a",), to_run=("a", "b", "c", "d"))
    seen = [(type(event).__name__, event.vertex_id) for event in events[1:-1] if hasattr(event, "vertex_id")]
    for before, after in ("ab", "ac", "bd", "cd"):
        assert seen.index(("VertexFinished", before)) < seen.index(("VertexStarted", after))
    assert [event.next_ids for event in of(events, VertexFinished)] == [("b", "c"), (), ("d",), ()]
    assert isinstance(events[-1], RunFinished)
    assert [output.vertex_id for output in events[-1].outputs] == ["a", "b", "c", "d"]
    assert events[-1].outputs[-1].outputs["out"].value == "d(b(a()),c(a()))"


async def test_a_value_goes_from_the_named_output(stage: Stage, flow: Flow, registry: Registry) -> None:
    """SES-3: an edge takes the output that its source handle names to the field that its target handle names."""
    registry.add(Join)
    flow.node("a", "Join").node("b", "Join").edge("a", "second", "b", "parts")
    events = await stage.events(flow.data, output_component="b")
    assert events[-1].outputs[0].outputs["out"].value == "b(2)"


async def test_several_edges_to_one_field_make_a_list(stage: Stage, flow: Flow, registry: Registry) -> None:
    """Values of several edges to one field arrive as a list in the order of the edges."""
    registry.add(Join)
    flow.node("a", "Join").node("b", "Join").node("c", "Join")
    flow.edge("b", "out", "c", "parts").edge("a", "out", "c", "parts")
    events = await stage.events(flow.data, output_component="c")
    assert events[-1].outputs[0].outputs["out"].value == "c(b(),a())"


async def test_independent_branches_run_at_once(stage: Stage, flow: Flow, registry: Registry) -> None:
    """SES-3: vertices that do not need each other are built at the same time: each waits for all the others."""
    barrier = asyncio.Barrier(5)

    class Meet(Component):
        type_name = "Meet"
        outputs = (Output(name="out"),)

        async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
            await barrier.wait()
            return {"out": context.vertex_id}

    registry.add(Meet, Join)
    for name in "abcde":
        flow.node(name, "Meet").edge(name, "out", "end", "parts")
    flow.node("end", "Join")
    events = await asyncio.wait_for(stage.events(flow.data, output_component="end"), 10)
    assert events[-1].outputs[0].outputs["out"].value == "end(a,b,c,d,e)"


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_no_more_than_the_limit_at_once(stage: Stage, flow: Flow, registry: Registry, limit: int) -> None:
    """At most so many vertices are built at once as the setting says, and that many are."""
    running: set[str] = set()
    most = 0

    class Count(Component):
        type_name = "Count"
        outputs = (Output(name="out"),)

        async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
            nonlocal most
            running.add(context.vertex_id)
            most = max(most, len(running))
            for _ in range(20):
                await asyncio.sleep(0)
            running.remove(context.vertex_id)
            return {"out": 1}

    registry.add(Count)
    stage.limits = RunLimits(parallel_nodes=limit)
    for index in range(7):
        flow.node(f"n{index}", "Count")
    events = await stage.events(flow.data)
    assert len(of(events, VertexFinished)) == 7
    assert most == limit


async def test_a_slow_reader_slows_the_run(stage: Stage, flow: Flow, registry: Registry) -> None:
    """No more events wait than the setting says: a component that streams goes on when its reader does."""
    sent = 0

    class Talk(Component):
        type_name = "Talk"
        outputs = (Output(name="out"),)

        async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
            nonlocal sent
            message_id = None
            for _ in range(100):
                sent += 1
                message_id = await context.stream_token("x")
            return {"out": Message(text="x" * 100, id=message_id)}

    registry.add(Talk)
    stage.limits = RunLimits(pending_events=4)
    flow.node("a", "Talk").node("out", "ChatOutput").edge("a", "out", "out", "input_value")
    run = stage.runner().run(FlowDocument.parse(flow.data), RunInputs(), stage.context())
    first = [await anext(run) for _ in range(3)]
    for _ in range(50):
        await asyncio.sleep(0)
    assert isinstance(first[-1], MessageProduced)
    assert sent <= 6
    rest = [event async for event in run]
    assert len(of(rest, TokenStreamed)) == 100
    assert isinstance(rest[-1], RunFinished)


async def test_the_empty_graph_finishes(stage: Stage, flow: Flow) -> None:
    """A flow without nodes begins and ends."""
    assert await stage.events(flow.data) == [VerticesSorted(ids=(), to_run=()), RunFinished(outputs=())]


async def test_stop_and_start_components(stage: Stage, flow: Flow, registry: Registry) -> None:
    """SES-3: stop builds a vertex and what it needs; start builds it, what follows, and what those need."""
    registry.add(Join)
    for name in "abcdx":
        flow.node(name, "Join")
    for pair in ("ab", "bc", "cd", "xd"):
        flow.edge(pair[0], "out", pair[1], "parts")

    async def built(**inputs: Any) -> set[str]:
        return set((await stage.events(flow.data, **inputs))[0].to_run)

    assert await built(stop_component_id="b") == {"a", "b"}
    assert await built(start_component_id="c") == {"a", "b", "c", "d", "x"}
    assert await built(start_component_id="b", stop_component_id="c") == {"a", "b", "c"}
    assert await built(start_component_id="x", stop_component_id="x") == {"x"}


@pytest.mark.parametrize("field", ["stop_component_id", "start_component_id", "output_component"])
async def test_an_unknown_vertex_in_a_request(stage: Stage, flow: Flow, registry: Registry, field: str) -> None:
    """A request that names a vertex that is not there fails before anything is built, by name."""
    registry.add(Join)
    (failed,) = await stage.events(flow.node("a", "Join").data, **{field: "ghost"})
    assert isinstance(failed, RunFailed)
    assert (failed.code, "ghost" in failed.message, field in failed.message) == ("unknown_vertex", True, True)


async def test_an_unknown_component_is_an_event(stage: Stage, flow: Flow, registry: Registry) -> None:
    """SES-3: a component type that is not registered is an error event that names it and its node."""
    registry.add(Join)
    flow.node("a", "Join").node("Weather-x7", "WeatherAPI")
    (failed,) = await stage.events(flow.data)
    assert isinstance(failed, RunFailed)
    assert (failed.code, failed.vertex_id) == ("unknown_component", "Weather-x7")
    assert "'WeatherAPI'" in failed.message
    assert "'Weather-x7'" in failed.message
    assert failed.fix
    (finished, *_) = of(await stage.events(flow.data, stop_component_id="a"), RunFinished)
    assert finished


async def test_outputs_by_type_and_component(stage: Stage, flow: Flow) -> None:
    """SES-3: a run reports the outputs of the type that is asked for, or the one component, by any of its names."""
    flow.node("in", "TextInput", input_value="hi").node("chat", "ChatOutput").node("text", "TextOutput")
    flow.edge("in", "text", "chat", "input_value").edge("in", "text", "text", "input_value")

    async def reported(**inputs: Any) -> list[str]:
        return [output.vertex_id for output in (await stage.events(flow.data, **inputs))[-1].outputs]

    assert await reported() == ["chat"]
    assert await reported(output_type="text") == ["text"]
    assert await reported(output_type="any") == ["chat", "text"]
    assert await reported(output_type="debug") == ["in", "chat", "text"]
    for name in ("in", "The in", "TextInput"):
        assert await reported(output_component=name) == ["in"]


@pytest.mark.parametrize("error", [ValueError("password=hunter2 at http://10.0.0.1/"), asyncio.CancelledError()])
async def test_a_failing_component_ends_the_run_once(
    stage: Stage, flow: Flow, registry: Registry, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """SES-3: a component that fails, or is cancelled by itself, ends the run with one error without its text."""
    monkeypatch.setattr(Fail, "error", error)
    registry.add(Fail, Join)
    flow.node("a", "Join").node("b", "Fail").node("c", "Join")
    flow.edge("a", "out", "b", "parts").edge("b", "out", "c", "parts")
    events = await stage.events(flow.data)
    failed = events[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.code, failed.vertex_id) == ("component_failed", "b")
    assert type(error).__name__ in failed.message
    assert len(of(events, RunFailed)) == 1
    assert of(events, RunFinished) == []
    finished = of(events, VertexFinished)[-1]
    assert (finished.vertex_id, finished.valid, finished.error) == ("b", False, failed.message)
    assert "c" not in {event.vertex_id for event in of(events, VertexStarted)}
    for word in ("hunter2", "10.0.0.1", "Traceback", __file__):
        assert word not in repr(events)


async def test_a_typed_error_keeps_its_code(
    stage: Stage, flow: Flow, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the tree is reported by its code, what and fix; the why, which is for operators, is not."""
    monkeypatch.setattr(Fail, "error", UnavailableError("it is away", service="x", why="host 10.0.0.1", fix="wait"))
    registry.add(Fail)
    failed = (await stage.events(flow.node("a", "Fail").data))[-1]
    assert failed == RunFailed(code="unavailable", message="it is away", vertex_id="a", fix="wait")


async def test_a_failure_stops_the_other_branches(stage: Stage, flow: Flow, registry: Registry) -> None:
    """When one branch fails, those that still run are cancelled before the run ends."""
    running, ended = asyncio.Event(), asyncio.Event()

    class Wait(Component):
        type_name = "Wait"
        outputs = (Output(name="out"),)

        async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
            running.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return {}

    class FailAfter(Fail):
        type_name = "FailAfter"

        async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
            await running.wait()
            raise ValueError

    registry.add(Wait, FailAfter)
    events = await stage.events(flow.node("a", "Wait").node("b", "FailAfter").data)
    assert isinstance(events[-1], RunFailed)
    assert ended.is_set()


async def test_an_output_that_is_not_there(stage: Stage, flow: Flow, registry: Registry) -> None:
    """An edge from an output that its component does not give is an error that names both."""
    registry.add(Join)
    flow.node("a", "Join").node("b", "Join").edge("a", "third", "b", "parts")
    failed = (await stage.events(flow.data))[-1]
    assert (failed.code, failed.vertex_id) == ("unknown_output", "a")
    assert "'third'" in failed.message


async def test_a_required_field_without_a_value(stage: Stage, flow: Flow) -> None:
    """A field that must have a value and has none is an error that names it."""
    failed = (await stage.events(flow.node("out", "ChatOutput", input_value="").data))[-1]
    assert (failed.code, failed.vertex_id, "'input_value'" in failed.message) == ("missing_input", "out", True)


class Spy(Component):
    """Keeps what it was built from."""

    type_name = "Spy"
    fields = (Field(name="key", secret=True), Field(name="text"), Field(name="number", type="int", default=7))
    outputs = (Output(name="out"),)
    seen: ClassVar[list[Mapping[str, Any]]] = []

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        self.seen.append(inputs)
        return {"out": "done"}


@pytest.fixture
def spy(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    registry.add(Spy)
    monkeypatch.setattr(Spy, "seen", [])
    return Spy.seen


async def test_variables_are_looked_up_and_never_shown(
    stage: Stage, flow: Flow, spy: list[Mapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SES-3: a field that names a variable gets the user's value, which is in no event; the environment is not read."""
    monkeypatch.setenv("ONLY_IN_THE_ENVIRONMENT", "server-secret")
    stage.variables |= {"MY_KEY": "sk-live-1", "MY_TEXT": "private words"}
    flow.node(
        "a",
        "Spy",
        key={"value": "MY_KEY", "load_from_db": True, "password": True},
        text={"value": "MY_TEXT", "load_from_db": True},
    )
    events = await stage.events(flow.data)
    assert spy == [{"key": SecretStr("sk-live-1"), "text": "private words", "number": 7}]
    assert of(events, VertexStarted)[0].inputs == {"number": 7}
    assert "sk-live-1" not in repr(events)
    assert "private words" not in repr(events)

    other = Flow().node("a", "Spy", text={"value": "ONLY_IN_THE_ENVIRONMENT", "load_from_db": True})
    begun, started, finished, failed = await stage.events(other.data)
    assert isinstance(begun, VerticesSorted)
    assert isinstance(started, VertexStarted)
    assert isinstance(finished, VertexFinished)
    assert (started.vertex_id, started.inputs, finished.vertex_id, finished.valid) == ("a", {}, "a", False)
    assert (failed.code, failed.vertex_id) == ("missing_variable", "a")
    assert "ONLY_IN_THE_ENVIRONMENT" in failed.message
    assert failed.fix == "create the variable ONLY_IN_THE_ENVIRONMENT"
    assert len(spy) == 1


async def test_a_key_in_the_place_of_a_name_is_not_shown(
    stage: Stage, flow: Flow, spy: list[Mapping[str, Any]]
) -> None:
    """A key that somebody put where the name of a variable belongs is in no error text."""
    flow.node("a", "Spy", key={"value": "sk-pasted-0123456789", "load_from_db": True})
    events = await stage.events(flow.data)
    assert events[-1].code == "missing_variable"
    assert "sk-pasted" not in repr(events)


async def test_a_key_in_the_flow_or_a_tweak(stage: Stage, flow: Flow, spy: list[Mapping[str, Any]]) -> None:
    """A key itself, in the flow or a tweak, is used, and is in no event; a tweak may name a variable as well."""
    flow.node("a", "Spy", key={"value": "sk-in-the-flow", "password": True})
    flow.node("b", "Spy", key={"value": "MY_KEY", "load_from_db": True})
    stage.variables["OTHER"] = "sk-other"
    events = await stage.events(flow.data, tweaks={"b": {"key": "sk-in-the-tweak"}})
    events += await stage.events(flow.data, tweaks={"b": {"key": "OTHER"}})
    keys = [inputs["key"].get_secret_value() for inputs in spy]
    assert keys == ["sk-in-the-flow", "sk-in-the-tweak", "sk-in-the-flow", "sk-other"]
    assert "sk-" not in repr(events)


async def test_an_edge_goes_before_the_flows_own_value(stage: Stage, flow: Flow, spy: list[Mapping[str, Any]]) -> None:
    """What comes over an edge is used instead of the value, and instead of a variable, which is not looked up."""
    flow.node("in", "TextInput", input_value="from the edge")
    flow.node("a", "Spy", text={"value": "NOT_THERE", "load_from_db": True}).edge("in", "text", "a", "text")
    assert isinstance((await stage.events(flow.data))[-1], RunFinished)
    assert str(spy[0]["text"]) == "from the edge"


async def test_frozen_nodes_and_other_flags_do_not_matter(stage: Stage, flow: Flow, registry: Registry) -> None:
    """A frozen or minimised node is built like any other."""
    registry.add(Join)
    flow.node("a", "Join")
    flow.nodes[0]["data"]["node"] |= {"frozen": True, "minimized": True, "beta": True}
    assert isinstance((await stage.events(flow.data))[-1], RunFinished)


async def test_live_objects_are_named_in_events(stage: Stage, flow: Flow, registry: Registry) -> None:
    """An output that is no data goes over edges as it is, and is shown by the name of its type."""

    class Live(Component):
        type_name = "Live"
        outputs = (Output(name="out"), Output(name="list"), Output(name="loop"))

        async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
            loop: list[Any] = []
            loop.append(loop)
            return {"out": SecretStr("sk-1"), "list": [1, {"a": object()}], "loop": loop}

    registry.add(Live)
    outputs = of(await stage.events(flow.node("a", "Live").data), VertexFinished)[0].outputs
    assert (outputs["out"].type, outputs["out"].value) == ("object", "SecretStr")
    assert (outputs["list"].type, outputs["list"].value) == ("array", [1, {"a": "object"}])
    assert outputs["loop"].value == "list"


async def test_two_runs_of_one_document_share_nothing(stage: Stage, flow: Flow, registry: Registry) -> None:
    """Components are made anew for each run; runs at once do not see each other's values."""
    registry.add(Join)
    flow.node("in", "TextInput").node("a", "Join").edge("in", "text", "a", "parts")
    runs = [
        stage.events(flow.data, input_value=f"{index}", input_type="text", output_component="a") for index in range(20)
    ]
    texts = [events[-1].outputs[0].outputs["out"].value for events in await asyncio.gather(*runs)]
    assert texts == [f"a({index})" for index in range(20)]
