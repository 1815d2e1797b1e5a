"""Whole flows, as they are: the examples of this project, and the reference flows where these are at hand."""

import asyncio
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from bedplate.services.session.runner import (
    FlowDocument,
    MessageProduced,
    RunEvent,
    RunFinished,
    RunMessage,
    TokenStreamed,
    VertexFinished,
)
from bedplate.wiring.testing.flows import Stage
from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.signals import Gate

EXAMPLES = Path(__file__).parents[3] / "examples" / "flows"
REFERENCE = Path(os.environ.get("BEDPLATE_REFERENCE_DIR", "absent")) / "flows"
REFERENCE_FLOWS = [
    "basic_prompt_chaining",
    "basic_prompting",
    "memory_chatbot",
    "seo_keyword_generator",
    "twitter_thread_generator",
]
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs BEDPLATE_REFERENCE_DIR")


def load(folder: Path, name: str) -> Any:
    return orjson.loads((folder / f"{name}.json").read_bytes())["data"]


def answer(events: list[RunEvent]) -> RunMessage:
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    (output,) = finished.outputs
    assert output.message is not None
    return output.message


async def check_whole_run(stage: Stage, data: Any, llm: LocalLLM) -> list[RunEvent]:
    """Run a flow, and check what holds for every one of these."""
    models = [node["id"] for node in data["nodes"] if node["data"].get("type") == "LanguageModelComponent"]
    events = await stage.events(data, input_value="Say hello to my name is Ada")
    message = answer(events)
    tokens = [event for event in events if isinstance(event, TokenStreamed)]
    assert "".join(token.text for token in tokens) == message.text
    assert {token.message_id for token in tokens} == {message.id}
    assert (message.sender, message.sender_name, message.session_id) == ("Machine", "AI", "session")
    assert len(llm.requests) == len(models)
    assert all(request.authorized for request in llm.requests)
    built = [event for event in events if isinstance(event, VertexFinished)]
    assert {event.vertex_id for event in built} == set(FlowDocument.parse(data).nodes)
    assert all(event.valid for event in built)
    assert {event.vertex_id for event in built if event.usage is not None} == set(models)
    return events


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.json")))
async def test_example_flows_run(stage: Stage, llm: LocalLLM, name: str) -> None:
    """SES-3: every example flow runs to its end, streams its answer, and asks each of its models once."""
    await check_whole_run(stage, load(EXAMPLES, name), llm)


@needs_reference
@pytest.mark.reference
@pytest.mark.parametrize("name", REFERENCE_FLOWS)
async def test_reference_flows_run(stage: Stage, llm: LocalLLM, name: str) -> None:
    """SES-3: every reference flow runs as it is: to its end, streaming, asking each of its models once."""
    await check_whole_run(stage, load(REFERENCE, name), llm)


async def remember(stage: Stage, data: Any) -> None:
    """Two runs in one session, and one in another: a name is known where it was told."""
    for text, said in (("my name is Ada", "You said: my name is Ada"), ("what is my name", "Your name is Ada.")):
        events = await stage.events(data, input_value=text)
        assert answer(events).text == said
        kept = {event.message.id: event.message for event in events if isinstance(event, MessageProduced)}
        stage.messages += kept.values()
    other = await stage.events(data, session_id="another", input_value="what is my name")
    assert answer(other).text == "I do not know your name."


async def test_the_example_with_memory_remembers(stage: Stage) -> None:
    """SES-3: the second run of a session uses what was said in the first; another session does not."""
    await remember(stage, load(EXAMPLES, "memory_chatbot"))


@needs_reference
@pytest.mark.reference
async def test_the_reference_with_memory_remembers(stage: Stage) -> None:
    """SES-3: the reference memory chatbot, as it is, uses the memory in its second run."""
    await remember(stage, load(REFERENCE, "memory_chatbot"))


async def test_both_opinions_are_asked_at_once(stage: Stage, llm: LocalLLM) -> None:
    """SES-3: two models that do not need each other are asked at the same time: neither answers before both are."""
    gates = [Gate(), Gate()]
    llm.script(*(Fault(hold=gate) for gate in gates))

    run = asyncio.create_task(stage.events(load(EXAMPLES, "two_opinions"), input_value="x"))
    for gate in gates:
        await asyncio.wait_for(gate.reached.wait(), 10)
    assert len(llm.requests) == 2
    for gate in gates:
        gate.open()
    assert answer(await run).text.startswith("You said: For: You said: x")


@needs_reference
@pytest.mark.reference
async def test_reference_prompts_are_filled(stage: Stage, llm: LocalLLM) -> None:
    """SES-3: values of the flow and of edges are in the prompts; doubled braces stand for themselves."""
    await stage.events(load(REFERENCE, "twitter_thread_generator"))
    system = llm.requests[0].said_by("system")
    assert "Tech Company / AI Developer Platform" in system
    assert "{PROFILE_TYPE}" in system
    assert "{{" not in system
    await stage.events(load(REFERENCE, "seo_keyword_generator"))
    assert "FocusFlow - An AI-powered productivity app" in llm.requests[1].said_by("user")
