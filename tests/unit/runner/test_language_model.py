"""The LanguageModel component against a local endpoint that speaks HTTP, and fails on demand."""

import asyncio
from contextlib import aclosing
from typing import Any

import msgspec
import pytest

from bedplate.services.session.runner import (
    FlowDocument,
    MessageProduced,
    RunEvent,
    RunFailed,
    RunFinished,
    RunInputs,
    TokenStreamed,
    VertexFinished,
)
from bedplate.wiring.testing.flows import Flow, Stage
from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.signals import Gate

KEY_FIELD = {"type": "str", "value": "OPENAI_API_KEY", "load_from_db": True, "_input_type": "SecretStrInput"}


@pytest.fixture
def chat(flow: Flow) -> Flow:
    """A chat with a system message."""
    flow.node("in", "ChatInput").node("p", "Prompt", template="Be kind.")
    flow.node("llm", "LanguageModelComponent", api_key=KEY_FIELD, model_name="local-1", temperature=0.3)
    flow.node("out", "ChatOutput", sender="Machine", sender_name="AI")
    flow.edge("in", "message", "llm", "input_value").edge("p", "prompt", "llm", "system_message")
    return flow.edge("llm", "text_output", "out", "input_value")


def of(events: list[RunEvent], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


async def test_the_answer_is_streamed_into_one_message(stage: Stage, chat: Flow, llm: LocalLLM) -> None:
    """SES-3: tokens go to a partial message, which the chat output completes under the same id; usage is counted."""
    events = await stage.events(chat.data, input_value="how are you today")
    partial, final = [event for event in of(events, MessageProduced) if event.message.sender == "Machine"]
    tokens = of(events, TokenStreamed)
    assert (partial.partial, partial.vertex_id, partial.message.text) == (True, "llm", "")
    assert (final.partial, final.vertex_id) == (False, "out")
    assert {token.message_id for token in tokens} == {partial.message.id} == {final.message.id}
    assert len(tokens) == 6
    assert "".join(token.text for token in tokens) == final.message.text == "You said: how are you today"
    assert partial.message.properties["state"] == "partial"
    assert final.message.properties["state"] == "complete"
    assert final.message.properties["source"] == {"id": "llm", "display_name": "Language Model", "source": "local-1"}

    (request,) = llm.requests
    assert request.authorized
    assert [(message.role, message.content) for message in request.messages] == [
        ("system", "Be kind."),
        ("user", "how are you today"),
    ]
    assert (request.body["model"], request.body["temperature"], request.body["stream"]) == ("local-1", 0.3, True)
    usage = next(event.usage for event in of(events, VertexFinished) if event.vertex_id == "llm")
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.model) == (6, 6, 12, "local-1")


async def test_a_model_that_no_chat_output_hears_streams_nothing(stage: Stage, chat: Flow) -> None:
    """Tokens are events only where they end in a chat message."""
    chat.edges.pop()
    chat.nodes.pop()
    events = await stage.events(chat.data, input_value="x", output_component="llm")
    assert of(events, TokenStreamed) == []
    assert events[-1].outputs[0].outputs["text_output"].value["text"] == "You said: x"


async def test_neither_key_nor_address_is_in_any_event(stage: Stage, chat: Flow, llm: LocalLLM) -> None:
    """SES-3: the key and the endpoint's address are in no event of a good run and of no failing one."""
    faults = [None, Fault(status=401), Fault(status=400), Fault(status=500), Fault(malformed_after=1)]
    faults += [Fault(end_after=1), Fault(body=b"nonsense", content_type="text/plain")]
    stage.endpoint = msgspec.structs.replace(stage.endpoint, retries=0)
    for fault in faults:
        if fault is not None:
            llm.script(fault)
        events = await stage.events(chat.data, input_value="hello")
        assert isinstance(events[-1], RunFinished if fault is None else RunFailed)
        text = repr(events)
        for secret in (llm.key, llm.key[:12], llm.base_url, llm.base_url.removeprefix("http://"), "Incorrect API key"):
            assert secret not in text


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(status=401), "llm_unauthorized"),
        (Fault(status=403), "llm_unauthorized"),
        (Fault(status=400), "llm_rejected"),
        (Fault(status=404), "llm_rejected"),
        (Fault(status=302), "llm_rejected"),
        (Fault(malformed_after=0), "llm_malformed"),
        (Fault(malformed_after=2), "llm_malformed"),
        (Fault(body=b"data: [1]\n\n"), "llm_malformed"),
        (Fault(body=b'data: {"choices": "x"}\n\n'), "llm_malformed"),
        (Fault(body=b"data: \xff\n\n"), "llm_malformed"),
        (Fault(body=b"<html>", content_type="text/html"), "llm_malformed"),
        (Fault(body=b"[]", content_type="application/json"), "llm_malformed"),
        (Fault(end_after=2), "llm_interrupted"),
        (Fault(break_after=2), "llm_interrupted"),
    ],
)
async def test_a_failure_that_is_final(stage: Stage, chat: Flow, llm: LocalLLM, fault: Fault, code: str) -> None:
    """SES-3: what cannot go better, or has begun to answer, fails at once with its own code and a fix."""
    llm.script(fault)
    events = await stage.events(chat.data, input_value="how are you today")
    failed = events[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.code, failed.vertex_id, bool(failed.fix)) == (code, "llm", True)
    assert len(llm.requests) == 1
    assert of(events, VertexFinished)[-1].error == failed.message


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(status=429, retry_after="0"), "llm_rate_limited"),
        (Fault(status=429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), "llm_rate_limited"),
        (Fault(status=500), "llm_server_error"),
        (Fault(status=503), "llm_server_error"),
        (Fault(body=b'data: {"error": {"message": "overloaded"}}\n\n'), "llm_server_error"),
        (Fault(body=b""), "llm_interrupted"),
        (Fault(end_after=0), "llm_interrupted"),
        (Fault(break_after=0), "llm_interrupted"),
    ],
)
async def test_a_failure_before_the_first_token_is_tried_again(
    stage: Stage, chat: Flow, llm: LocalLLM, fault: Fault, code: str
) -> None:
    """SES-3: 429, 5xx and a connection lost before any text are tried again, so often as the setting says."""
    llm.script(fault, fault)
    events = await stage.events(chat.data, input_value="x")
    assert isinstance(events[-1], RunFinished)
    assert len(llm.requests) == 3
    llm.script(fault, fault, fault)
    failed = (await stage.events(chat.data, input_value="x"))[-1]
    assert isinstance(failed, RunFailed)
    assert failed.code == code
    assert len(llm.requests) == 6


async def test_an_endpoint_that_is_down(stage: Stage, chat: Flow) -> None:
    """SES-3: an endpoint that nobody listens at, or whose address is none, is an error that names the setting."""
    for address in ("http://127.0.0.1:1/v1", "http://", "nonsense", "ftp://127.0.0.1/"):
        stage.endpoint = msgspec.structs.replace(stage.endpoint, base_url=address)
        failed = (await stage.events(chat.data, input_value="x"))[-1]
        assert isinstance(failed, RunFailed)
        assert failed.code == "llm_unreachable"
        assert "BEDPLATE_SESSION__LLM_BASE_URL" in (failed.fix or "")


@pytest.mark.parametrize("before_first", [True, False])
async def test_an_endpoint_that_is_silent(stage: Stage, chat: Flow, llm: LocalLLM, before_first: bool) -> None:
    """SES-3: an endpoint that says nothing for longer than the setting allows is an error that names the setting."""
    gate = Gate()
    llm.script(Fault(hold=gate) if before_first else Fault(hold_after=(2, gate)))
    stage.endpoint = msgspec.structs.replace(stage.endpoint, read_timeout=0.1)
    try:
        failed = (await stage.events(chat.data, input_value="how are you today"))[-1]
    finally:
        gate.open()
    assert isinstance(failed, RunFailed)
    assert failed.code == "llm_timeout"
    assert "BEDPLATE_SESSION__LLM_READ_TIMEOUT" in (failed.fix or "")
    assert len(llm.requests) == 1


async def test_an_endless_answer_is_cut(stage: Stage, chat: Flow, llm: LocalLLM) -> None:
    """An answer over the limit, in one piece or in many, is an error that names the setting."""
    stage.endpoint = msgspec.structs.replace(stage.endpoint, max_answer_bytes=2_000)
    for fault in (
        Fault(body=b"data: " + b"x" * 10_000),
        Fault(body=b'{"choices": "' + b"x" * 10_000 + b'"}', content_type="application/json"),
        Fault(body=b'data: {"choices": [{"delta": {"content": "word"}}]}\n\n' * 100),
    ):
        llm.script(fault)
        failed = (await stage.events(chat.data, input_value="x"))[-1]
        assert isinstance(failed, RunFailed)
        assert failed.code == "llm_malformed"
        assert "BEDPLATE_SESSION__LLM_MAX_ANSWER_BYTES" in (failed.fix or "")


async def test_an_endpoint_that_does_not_stream(stage: Stage, chat: Flow, llm: LocalLLM) -> None:
    """An endpoint that answers as a whole is understood as well."""
    llm.script(Fault(content_type="application/json"))
    events = await stage.events(chat.data, input_value="x")
    assert events[-1].outputs[0].message.text == "You said: x"
    assert len(of(events, TokenStreamed)) == 1


@pytest.mark.parametrize("key", ["naïve-key", "two\nlines"])
async def test_a_key_that_no_header_can_hold(stage: Stage, chat: Flow, llm: LocalLLM, key: str) -> None:
    """A key with characters that no key has is an error that does not show it, and is not sent."""
    stage.variables["OPENAI_API_KEY"] = key
    events = await stage.events(chat.data, input_value="x")
    assert events[-1].code == "llm_unauthorized"
    assert key not in repr(events)
    assert llm.requests == []


async def test_a_key_that_is_missing(stage: Stage, chat: Flow, llm: LocalLLM) -> None:
    """A variable that the user does not have is an error that names it; the environment is not looked at."""
    stage.variables.clear()
    failed = (await stage.events(chat.data, input_value="x"))[-1]
    assert (failed.code, failed.vertex_id) == ("missing_variable", "llm")
    assert "OPENAI_API_KEY" in failed.message
    assert llm.requests == []


async def test_a_node_without_a_key_sends_none(stage: Stage, chat: Flow, llm: LocalLLM) -> None:
    """An empty key field sends no Authorization header, for endpoints that take none."""
    events = await stage.events(chat.data, input_value="x", tweaks={"llm": {"api_key": ""}})
    assert events[-1].code == "llm_unauthorized"
    assert [request.authorized for request in llm.requests] == [False]


async def test_nothing_to_say(stage: Stage, flow: Flow, llm: LocalLLM) -> None:
    """A model without input and system message is an error, and is not asked."""
    failed = (await stage.events(flow.node("llm", "LanguageModelComponent").data))[-1]
    assert (failed.code, llm.requests) == ("llm_empty_prompt", [])


async def test_a_model_whose_answer_nobody_takes_is_not_asked(stage: Stage, chat: Flow, llm: LocalLLM) -> None:
    """A node whose model itself is taken, but not its answer, does not call the endpoint."""
    chat.edges.pop()
    chat.edge("llm", "model_output", "out", "input_value")
    events = await stage.events(chat.data, input_value="x")
    assert llm.requests == []
    assert (
        next(event for event in of(events, VertexFinished) if event.vertex_id == "llm").outputs["model_output"].value
        == "ChatClient"
    )


async def test_cancelling_a_run_hangs_up(stage: Stage, chat: Flow, llm: LocalLLM) -> None:
    """SES-3: a run that is cancelled in the middle of an answer closes the connection at once."""
    gate = Gate()
    llm.script(Fault(hold_after=(3, gate)))
    tokens: list[str] = []

    async def read() -> None:
        run = stage.runner().run(FlowDocument.parse(chat.data), RunInputs(input_value="a b c d"), stage.context())
        async with aclosing(run) as events:
            async for event in events:
                tokens.extend([event.text] if isinstance(event, TokenStreamed) else [])

    reader = asyncio.create_task(read())
    await gate.reached.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await asyncio.wait_for(llm.requests[0].closed.wait(), 5)
    assert len(tokens) <= 3
    gate.open()


async def test_tokens_come_while_the_endpoint_speaks(stage: Stage, chat: Flow, llm: LocalLLM) -> None:
    """SES-3: tokens are events as they come, not when the answer is complete."""
    gate = Gate()
    llm.script(Fault(hold_after=(2, gate)))
    run = stage.runner().run(FlowDocument.parse(chat.data), RunInputs(input_value="a b c"), stage.context())
    async with aclosing(run) as events:
        seen = [await anext(events)]
        while len(of(seen, TokenStreamed)) < 2:
            seen.append(await anext(events))
        assert not gate.opened.is_set
        gate.open()
        seen += [event async for event in events]
    assert isinstance(seen[-1], RunFinished)
    assert len(of(seen, TokenStreamed)) == 5


async def test_the_endpoint_for_tests_remembers_what_it_is_told(stage: Stage, chat: Flow, llm: LocalLLM) -> None:
    """The local endpoint knows a name only if some message told it."""
    ask = await stage.events(chat.data, input_value="what is my name")
    assert ask[-1].outputs[0].message.text == "I do not know your name."
    told = chat.data
    told["nodes"][1]["data"]["node"]["template"]["template"]["value"] = "Ada: my name is Ada"
    assert (await stage.events(told, input_value="What is my name?"))[-1].outputs[0].message.text == "Your name is Ada."
