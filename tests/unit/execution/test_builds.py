"""CHAT-2, SES-3, JOB-1: what becomes of the events of a run."""

import asyncio
import uuid

import orjson
import pytest

from bedplate.services.errors import InvalidInputError, NotFoundError, UnavailableError
from bedplate.services.job_queue import JobStatus
from bedplate.services.session import FlowNotFoundError, SessionStatus
from bedplate.services.session.runner import RunInputs
from bedplate.services.tracing import SpanKind, Status
from bedplate.wiring.execution import RunKind
from bedplate.wiring.testing.flows import Flow as FlowText
from bedplate.wiring.testing.llm import Fault
from bedplate.wiring.testing.signals import Gate

HELLO = RunInputs(input_value="hello there")


async def test_build_tells_its_events_in_the_order_of_the_contract(execution, echo, owner, events_of):
    """SES-3, JOB-1: vertices_sorted, add_message and end_vertex for each node, end with nothing in it."""
    job = await execution.start(owner, echo, HELLO)
    events = [event async for event in events_of(job)]
    assert [event.type for event in events] == [
        "vertices_sorted",
        "add_message",
        "end_vertex",
        "add_message",
        "end_vertex",
        "end",
    ]
    assert events[0].data == {"ids": ["in"], "to_run": ["in", "out"]}
    assert events[-1].data == {}
    built = events[2].data["build_data"]
    assert (built["id"], built["valid"], built["next_vertices_ids"]) == ("in", True, ["out"])
    assert built["data"]["artifacts"]["message"] == "hello there"
    assert built["data"]["outputs"]["message"]["message"]["text"] == "hello there"


async def test_message_event_has_what_clients_of_the_contract_read(execution, echo, owner, events_of):
    """CHAT-2: the data of ``add_message``."""
    job = await execution.start(owner, echo, HELLO)
    [message, _] = [event.data async for event in events_of(job) if event.type == "add_message"]
    assert uuid.UUID(message.pop("id"))
    assert message.pop("timestamp").endswith(" UTC")
    properties = message.pop("properties")
    assert properties["state"] == "complete"
    assert message == {
        "sender": "User",
        "sender_name": "User",
        "session_id": str(echo.id),
        "text": "hello there",
        "files": [],
        "error": False,
        "edit": False,
        "category": "message",
        "content_blocks": [],
        "flow_id": str(echo.id),
    }


async def test_what_goes_straight_from_input_to_output_is_one_message(execution, echo, owner, container):
    """CHAT-2: as in the contract, the output takes over the message of the input."""
    await execution.run(owner, echo, HELLO)
    [message] = (await container.chat().list(owner)).items
    assert (message.text, message.sender, message.sender_name) == ("hello there", "Machine", "AI")
    assert (message.flow_id, message.session_id, message.status) == (echo.id, str(echo.id), "complete")


async def test_answer_streams_in_order_and_is_stored_once(execution, chatbot, owner, events_of, container):
    """CHAT-2: a partial message, its tokens, and the whole one under the same id; stored once, beside the question."""
    job = await execution.start(owner, chatbot, HELLO, session_id="s")
    events = [event async for event in events_of(job)]
    tokens = [event for event in events if event.type == "token"]
    assert len(tokens) > 1
    told = [event for event in events if event.type == "add_message"]
    question, partial, whole = (event.data for event in told)
    assert (partial["text"], partial["properties"]["state"]) == ("", "partial")
    assert (whole["text"], whole["properties"]["state"]) == ("You said: hello there", "complete")
    assert {event.data["id"] for event in tokens} == {partial["id"]} == {whole["id"]}
    assert "".join(event.data["chunk"] for event in tokens) == whole["text"]
    assert told[1].id < tokens[0].id < tokens[-1].id < told[2].id
    stored = (await container.chat().list(owner, session_id="s")).items
    assert [(str(message.id), message.sender, message.text) for message in stored] == [
        (question["id"], "User", "hello there"),
        (whole["id"], "Machine", "You said: hello there"),
    ]
    assert {message.run_id for message in stored} != {None}


async def test_second_run_of_a_session_remembers_the_first(execution, chatbot, owner):
    """CHAT-2, SES-3: the history is the session's, without what the run itself has said."""
    await execution.run(owner, chatbot, RunInputs(input_value="my name is Ann"), session_id="s")
    result = await execution.run(owner, chatbot, RunInputs(input_value="what is my name?"), session_id="s")
    assert result.outputs[0].message.text == "Your name is Ann."
    other = await execution.run(owner, chatbot, RunInputs(input_value="what is my name?"), session_id="t")
    assert other.outputs[0].message.text == "I do not know your name."


async def test_run_answers_in_the_shape_of_the_contract(execution, echo, owner):
    """SES-3: what ``/run`` answers."""
    result = await execution.run(owner, echo, HELLO, session_id="s")
    assert result.response["session_id"] == "s"
    [answer] = result.response["outputs"]
    assert answer["inputs"] == {"input_value": "hello there"}
    [output] = answer["outputs"]
    assert output["results"]["message"]["text"] == "hello there"
    assert output["results"]["message"]["data"]["sender"] == "Machine"
    assert output["outputs"] == {"message": {"message": "hello there", "type": "text"}}
    assert output["messages"] == [
        {
            "message": "hello there",
            "sender": "Machine",
            "sender_name": "AI",
            "session_id": "s",
            "stream_url": None,
            "component_id": "out",
            "files": [],
            "type": "text",
        }
    ]
    assert (output["component_id"], output["component_display_name"]) == ("out", "The out")
    assert output["artifacts"]["message"] == "hello there"
    assert (result.job.status, result.job.kind) == (JobStatus.SUCCEEDED, "run")
    assert orjson.dumps(result.response)


async def test_run_stream_tells_of_messages_only_and_ends_with_the_result(execution, chatbot, owner, events_of):
    """JOB-2: the events of a run, as its clients read them."""
    job = await execution.start(owner, chatbot, HELLO, kind=RunKind.RUN)
    events = [event async for event in events_of(job)]
    assert {event.type for event in events[:-1]} == {"add_message", "token"}
    assert events[-1].type == "end"
    result = events[-1].data["result"]
    assert result["outputs"][0]["outputs"][0]["messages"][0]["message"] == "You said: hello there"


async def test_builds_and_transactions_are_kept_of_every_vertex(execution, chatbot, owner, container):
    """SES-3, prior defect: builds were lost with all deliveries but one."""
    await execution.run(owner, chatbot, HELLO)
    builds = await container.session().builds.list(owner, chatbot.id)
    assert {vertex: len(kept) for vertex, kept in builds.items()} == dict.fromkeys(
        ("in", "memory", "prompt", "llm", "out"), 1
    )
    assert all(kept[0].valid for kept in builds.values())
    assert builds["llm"][0].params == "You said: hello there"
    transactions = await container.session().builds.transactions(owner, chatbot.id)
    assert transactions.total == 5
    assert {transaction.status for transaction in transactions.items} == {"success"}


async def test_builds_are_not_kept_when_the_caller_says_so(execution, echo, owner, container, events_of):
    """SES-3: ``log_builds``."""
    job = await execution.start(owner, echo, HELLO, log_builds=False)
    assert [event.type async for event in events_of(job)][-1] == "end"
    assert await container.session().builds.list(owner, echo.id) == {}


async def test_run_is_traced_step_by_step(execution, chatbot, owner, container):
    """TRACE-1, SES-3: a span for each vertex, with kind, inputs, outputs and usage."""
    await execution.run(owner, chatbot, HELLO, session_id="s")
    [trace] = (await container.tracing().runs(owner)).items
    assert (trace.name, trace.flow_id, trace.session_id) == ("flow", chatbot.id, "s")
    assert trace.status is Status.OK
    tree = await container.tracing().tree(owner, trace.id)
    spans = {span.key: span for span in tree.spans}
    assert set(spans) == {"in", "memory", "prompt", "llm", "out"}
    assert spans["llm"].kind is SpanKind.LLM
    assert spans["llm"].usage.output_tokens == 4
    assert trace.usage == spans["llm"].usage
    assert spans["out"].outputs["message"]["text"] == "You said: hello there"
    assert {span.status for span in spans.values()} == {Status.OK}


async def test_key_is_nowhere(execution, chatbot, owner, container, events_of, llm, key, caplog):
    """ALL-3, VAR-1: no secret in an event, build, transaction, span, answer or log, even when the model says it."""
    llm.answer = lambda messages: f"the key is {key[:9]} {key} and {key[:-1]} !"
    job = await execution.start(owner, chatbot, RunInputs(input_value=f"I know {key}"))
    texts = [event.payload.decode() async for event in events_of(job)]
    result = await execution.run(owner, chatbot, RunInputs(input_value=f"I know {key}"))
    texts.append(orjson.dumps(result.response).decode())
    session, tracing = container.session(), container.tracing()
    texts.append(repr(await session.builds.list(owner, chatbot.id)))
    texts.append(repr((await session.builds.transactions(owner, chatbot.id)).items))
    texts += [repr(await tracing.tree(owner, trace.id)) for trace in (await tracing.runs(owner)).items]
    assert [text for text in texts if key in text] == []
    assert key not in caplog.text
    tokens = "".join(orjson.loads(text)["chunk"] for text in texts if text.startswith('{"chunk"'))
    assert tokens.startswith("the key is sk-local-")
    assert key not in tokens


async def test_cancel_in_mid_stream_keeps_what_was_said(execution, chatbot, owner, container, events_of, llm):
    """CHAT-2, JOB-2: the partial message is stored as cancelled; job, session and trace say so; the call is closed."""
    gate = Gate()
    llm.script(Fault(hold_after=(2, gate)))
    job = await execution.start(owner, chatbot, HELLO, session_id="s")
    await gate.reached.wait()
    async for event in events_of(job):
        if event.type == "token" and event.data["chunk"].strip() == "said:":
            break
    assert (await container.job_queue().cancel(owner, job.id)).status is JobStatus.CANCELLED
    gate.open()
    await llm.requests[0].closed.wait()
    events = [event async for event in events_of(job)]
    assert [event.type for event in events][-2:] == ["add_message", "cancelled"]
    assert events[-2].data["text"] == "You said:"
    question, answer = (await container.chat().list(owner, session_id="s")).items
    assert (question.status, answer.status, answer.text) == ("complete", "cancelled", "You said:")
    assert str(answer.id) == events[-2].data["id"]
    session = await container.session().get(owner, chatbot.id, "s")
    assert (session.status, session.runs) == (SessionStatus.CANCELLED, 1)
    [trace] = (await container.tracing().runs(owner)).items
    assert trace.status is Status.CANCELLED
    builds = await container.session().builds.list(owner, chatbot.id)
    assert set(builds) == {"in", "memory", "prompt"}


@pytest.mark.parametrize("steps", [0, 1, 3, 6, 10, 20, 40, 80, 160])
async def test_cancel_at_any_moment_leaves_all_in_order(execution, chatbot, owner, container, events_of, steps):
    """JOB-2, CHAT-2: one terminal event, no message twice, a session that does not run any more."""
    job = await execution.start(owner, chatbot, HELLO, session_id="s")
    for _ in range(steps):
        await asyncio.sleep(0)
    ended = await container.job_queue().cancel(owner, job.id)
    events = [event async for event in events_of(job)]
    assert [event.terminal for event in events].count(True) == 1
    assert events[-1].type == {"cancelled": "cancelled", "succeeded": "end"}[ended.status]
    messages = (await container.chat().list(owner)).items
    assert len(messages) <= 2
    shown = {event.data["id"] for event in events if event.type == "add_message" and event.data["text"]}
    assert {str(message.id) for message in messages} >= shown
    session = await container.session().get(owner, chatbot.id, "s")
    assert session.status is not SessionStatus.RUNNING
    assert (await execution.run(owner, chatbot, HELLO, session_id="s")).outputs


async def test_run_that_takes_too_long_ends_with_an_error(execution, chatbot, owner, container, events_of, llm):
    """JOB-2: a timeout in the middle of an answer; what was said is kept."""
    gate = Gate()
    llm.script(Fault(hold_after=(1, gate)))
    job = await execution.start(owner, chatbot, HELLO, timeout=3600.0)
    await gate.reached.wait()
    async for event in events_of(job):
        if event.type == "token":
            break
    jobs = container.job_queue()
    asyncio.get_running_loop().call_soon(jobs._supervisor.time_out, jobs._jobs.get(job.id))
    events = [event async for event in events_of(job)]
    gate.open()
    assert (events[-1].type, events[-1].data["code"]) == ("error", "timeout")
    assert [message.status for message in (await container.chat().list(owner)).items] == ["complete", "cancelled"]


async def test_session_that_makes_no_sense_is_refused_before_anything_runs(execution, echo, owner, container):
    """SES-1: bad input is a typed error."""
    with pytest.raises(InvalidInputError):
        await execution.start(owner, echo, HELLO, session_id="x" * 10_000)
    assert (await container.job_queue().list(owner)).items == ()


@pytest.mark.parametrize("data", [{}, {"nodes": []}, {"nodes": [{"id": "x"}], "edges": []}])
async def test_what_is_no_flow_is_refused_before_anything_runs(execution, echo, owner, container, data):
    """SES-3: no job is made for a document that cannot run."""
    with pytest.raises(InvalidInputError):
        await execution.start(owner, echo, HELLO, data=data)
    assert (await container.job_queue().list(owner)).items == ()


async def test_document_of_the_request_runs_instead_of_the_stored_one(execution, echo, owner, events_of):
    """SES-3: the body of a build may hold its own graph; the empty one ends at once."""
    job = await execution.start(owner, echo, HELLO, data={"nodes": [], "edges": []})
    events = [event async for event in events_of(job)]
    assert [(event.type, event.data) for event in events] == [
        ("vertices_sorted", {"ids": [], "to_run": []}),
        ("end", {}),
    ]


async def test_flow_of_another_user_is_not_there(execution, echo, stranger, container):
    """ALL-4: also for who holds the flow in hand."""
    with pytest.raises(FlowNotFoundError) as caught:
        await execution.start(stranger, echo, HELLO)
    assert isinstance(caught.value, NotFoundError)
    assert (await container.job_queue().list(stranger)).items == ()


async def test_many_runs_at_once_keep_to_themselves(execution, chatbot, owner, container):
    """SES-3, CHAT-2: twelve runs in three sessions."""
    results = await asyncio.gather(
        *(
            execution.run(owner, chatbot, RunInputs(input_value=f"number {number}"), session_id=f"s{number % 3}")
            for number in range(12)
        )
    )
    assert [result.outputs[0].message.text for result in results] == [f"You said: number {n}" for n in range(12)]
    for session_id in ("s0", "s1", "s2"):
        assert len((await container.chat().list(owner, session_id=session_id)).items) == 8
        session = await container.session().get(owner, chatbot.id, session_id)
        assert (session.status, session.runs) == (SessionStatus.IDLE, 4)


async def test_stop_of_the_application_interrupts_its_runs(execution, chatbot, owner, container, events_of, llm):
    """JOB-1: readers are told; what was said is kept."""
    gate = Gate()
    llm.script(Fault(hold_after=(2, gate)))
    job = await execution.start(owner, chatbot, HELLO)
    await gate.reached.wait()
    reader = asyncio.create_task(_collect(events_of(job)))
    await asyncio.sleep(0)
    await container.job_queue().stop()
    gate.open()
    assert (await reader)[-1].data["code"] == "interrupted"
    assert [message.status for message in (await container.chat().list(owner)).items] == ["complete", "cancelled"]
    with pytest.raises(UnavailableError):
        await execution.start(owner, chatbot, HELLO)


async def test_unknown_component_is_an_error_that_names_it(execution, owner, new_flow, events_of):
    """SES-3: an error event naming the component."""
    flow = await new_flow(FlowText().node("x", "NoSuchThing"))
    job = await execution.start(owner, flow, HELLO)
    *_, last = [event async for event in events_of(job)]
    assert last.type == "error"
    assert "NoSuchThing" in last.data["text"]


async def _collect(events):
    return [event async for event in events]
