"""CHAT-3: what frozen vertices gave is kept by user, flow, session and vertex."""

import asyncio
import copy
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer
from bedplate.services.session import Flow, FlowPatch, NewFlow
from bedplate.services.session.results import BuiltResults
from bedplate.services.session.runner import RunInputs
from bedplate.services.shared_component_cache import Component, ComponentContext, Field, Output
from bedplate.wiring.execution import Execution, RunResult
from bedplate.wiring.runs.results import BoundResults
from bedplate.wiring.testing.flows import Flow as FlowText
from bedplate.wiring.testing.llm import LocalLLM


def _frozen(data: dict[str, Any], vertex: str) -> dict[str, Any]:
    changed = copy.deepcopy(data)
    for node in changed["nodes"]:
        if node["id"] == vertex:
            node["data"]["node"]["frozen"] = True
    return changed


@pytest.fixture
async def frozen(container: ApplicationContainer, owner: uuid.UUID, chatbot: Flow) -> Flow:
    """A language model that is frozen between a chat input and a chat output."""
    assert chatbot.data
    return await container.session().flows.update(owner, chatbot.id, FlowPatch(data=_frozen(chatbot.data, "llm")))


async def _run(execution: Execution, owner: uuid.UUID, flow: Flow, text: str, session: str = "s") -> RunResult:
    return await execution.run(owner, flow, RunInputs(input_value=text), session_id=session)


def _text(result: RunResult) -> str:
    [output] = result.outputs
    assert output.message
    return output.message.text


async def test_a_frozen_vertex_is_built_once(
    container: ApplicationContainer, execution: Execution, owner: uuid.UUID, frozen: Flow, llm: LocalLLM
) -> None:
    """CHAT-3: the next run of the session gives the same, whatever it is asked, as a new message."""
    first, second = [await _run(execution, owner, frozen, text) for text in ("one", "two")]
    assert _text(first) == _text(second) == "You said: one"
    assert len(llm.requests) == 1
    messages = await container.chat().history(owner, "s")
    assert [message.text for message in messages] == ["one", "You said: one", "two", "You said: one"]
    builds = await container.session().builds.list(owner, frozen.id)
    assert [build.data["used_frozen_result"] for build in builds["llm"] if build.data] == [False, True]
    assert [build.data["used_frozen_result"] for build in builds["out"] if build.data] == [False, False]


async def test_results_are_of_one_session(execution: Execution, owner: uuid.UUID, frozen: Flow, llm: LocalLLM) -> None:
    """CHAT-3: another session builds its own."""
    for session in ("s", "t", "s", "t"):
        assert _text(await _run(execution, owner, frozen, session, session)) == f"You said: {session}"
    assert len(llm.requests) == 2


async def test_results_are_of_one_user_and_flow(
    container: ApplicationContainer,
    execution: Execution,
    owner: uuid.UUID,
    stranger: uuid.UUID,
    frozen: Flow,
    llm: LocalLLM,
    key: str,
) -> None:
    """CHAT-3, ALL-4: the same document of another flow, or another user, has its own."""
    await _run(execution, owner, frozen, "one")
    other = await container.session().flows.create(owner, NewFlow(name="other", data=frozen.data))
    assert _text(await _run(execution, owner, other, "two")) == "You said: two"
    await container.variable().create(stranger, "OPENAI_API_KEY", key)
    theirs = await container.session().flows.create(stranger, NewFlow(name="theirs", data=frozen.data))
    assert _text(await _run(execution, stranger, theirs, "three")) == "You said: three"
    assert len(llm.requests) == 3


async def test_a_changed_flow_is_built_anew(
    container: ApplicationContainer, execution: Execution, owner: uuid.UUID, frozen: Flow, llm: LocalLLM
) -> None:
    """CHAT-3: its content, and not its layout; also what a caller sets for one run."""
    flows = container.session().flows
    await _run(execution, owner, frozen, "one")
    assert frozen.data
    moved = copy.deepcopy(frozen.data)
    moved["nodes"][0]["position"] = {"x": 7, "y": 7}
    flow = await flows.update(owner, frozen.id, FlowPatch(name="renamed", data=moved))
    assert _text(await _run(execution, owner, flow, "two")) == "You said: one"
    tweaked = RunInputs(input_value="three", tweaks={"llm": {"model_name": "gpt-4o"}})
    assert _text(await execution.run(owner, flow, tweaked, session_id="s")) == "You said: three"
    changed = copy.deepcopy(moved)
    changed["nodes"][2]["data"]["node"]["template"]["template"]["value"] = "{memory}!"
    flow = await flows.update(owner, frozen.id, FlowPatch(data=changed))
    assert _text(await _run(execution, owner, flow, "four")) == "You said: four"
    flow = await flows.update(owner, frozen.id, FlowPatch(data=moved))
    assert _text(await _run(execution, owner, flow, "five")) == "You said: five", "forgotten when the flow changed"
    assert len(llm.requests) == 4


async def test_a_session_that_is_deleted_or_renamed_is_built_anew(
    container: ApplicationContainer, execution: Execution, owner: uuid.UUID, frozen: Flow
) -> None:
    """CHAT-3: under its old name nothing is left."""
    sessions = container.session()
    await _run(execution, owner, frozen, "one")
    await sessions.rename(owner, "s", "t")
    assert _text(await _run(execution, owner, frozen, "two")) == "You said: two"
    await sessions.delete(owner, "s")
    assert _text(await _run(execution, owner, frozen, "three")) == "You said: three"


class Odd(Component):
    """Gives what it is told to."""

    type_name = "Odd"
    display_name = "Odd"
    fields = (Field(name="key", display_name="Key", secret=True, default=""),)
    outputs = (Output(name="value", display_name="Value", method="value"),)
    gives: Any = None
    built = 0

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        type(self).built += 1
        value = inputs.get("key") if self.gives == "secret" else type(self).gives
        return {"value": value.get_secret_value() if hasattr(value, "get_secret_value") else value}


@pytest.mark.parametrize(
    ("gives", "built"),
    [("text", 1), ({"a": [1, 2.5, None, "x"]}, 1), (object(), 2), ("secret", 2), (asyncio.sleep, 2)],
)
async def test_what_is_no_data_or_secret_is_not_kept(
    container: ApplicationContainer, execution: Execution, owner: uuid.UUID, gives: Any, built: int
) -> None:
    """CHAT-3: live objects, and what tells a secret of the run, are made in each run."""
    Odd.gives, Odd.built = gives, 0
    container.shared_component_cache().register(Odd)
    data = (
        FlowText()
        .node("odd", "Odd", key={"type": "str", "value": "OPENAI_API_KEY", "load_from_db": True, "password": True})
        .node("out", "TextOutput")
        .edge("odd", "value", "out", "input_value")
        .data
    )
    flow = await container.session().flows.create(owner, NewFlow(name="odd", data=_frozen(data, "odd")))
    for _ in range(2):
        await execution.run(owner, flow, RunInputs(output_type="text"), session_id="s")
    assert Odd.built == built


async def test_a_cache_that_fails_costs_a_build(
    container: ApplicationContainer, frozen: Flow, owner: uuid.UUID
) -> None:
    """CHAT-3: and no more than that."""

    class Broken(BuiltResults):
        async def get(self, *_args: Any) -> Any:
            raise OSError

        async def put(self, *_args: Any) -> Any:
            raise OSError

    sessions = container.session()
    document = await sessions.prepare(await sessions.open(owner, frozen.id, "s"), frozen.data)
    broken = Broken(container.cache().namespace("broken"), 60)
    bound = BoundResults(broken, owner, frozen.id, "s", document=document, secrets=())
    assert await bound.get("llm", "d") is None
    await bound.put("llm", "d", {"a": 1})
