"""SES-3, CHAT-2: runs that fail, and services that fail under a run."""

import asyncio

import pytest

from bedplate.services.chat import ChatService, MessageStatus
from bedplate.services.errors import UnavailableError
from bedplate.services.job_queue import JobStatus
from bedplate.services.session import SessionStatus
from bedplate.services.session.builds import Builds
from bedplate.services.session.runner import RunInputs
from bedplate.services.tracing import Status
from bedplate.wiring.execution import FlowRunError
from bedplate.wiring.testing.llm import Fault
from bedplate.wiring.testing.signals import Gate

HELLO = RunInputs(input_value="hello there")


async def test_failure_is_told_everywhere(execution, chatbot, owner, container, events_of, llm, key):
    """SES-3: error event, error message, invalid build, failed session, trace and job; the key in none of them."""
    llm.script(Fault(status=500))
    job = await execution.start(owner, chatbot, HELLO, session_id="s")
    events = [event async for event in events_of(job)]
    vertex, error = events[-2:]
    assert (vertex.type, vertex.data["build_data"]["id"], vertex.data["build_data"]["valid"]) == (
        "end_vertex",
        "llm",
        False,
    )
    assert error.type == "error"
    assert (error.data["category"], error.data["error"], error.data["sender"]) == ("error", True, "Machine")
    assert error.data["properties"]["source"]["id"] == "llm"
    assert error.data["content_blocks"][0]["contents"][0]["reason"] == error.data["text"]
    assert error.data["code"]
    ended = await container.job_queue().get(owner, job.id)
    assert (ended.status, ended.error) == (JobStatus.FAILED, error.data["message"])
    _, told = (await container.chat().list(owner, session_id="s")).items
    assert (told.category, told.error, told.text) == ("error", True, error.data["text"])
    assert (await container.session().get(owner, chatbot.id, "s")).status is SessionStatus.FAILED
    [trace] = (await container.tracing().runs(owner)).items
    assert (trace.status, trace.error) == (Status.ERROR, error.data["text"])
    assert not (await container.session().builds.list(owner, chatbot.id))["llm"][0].valid
    assert key not in repr([event.payload for event in events])


async def test_error_messages_are_no_part_of_what_is_remembered(execution, chatbot, owner, llm):
    """CHAT-2: after a failed run, the next one goes on from what was said."""
    llm.script(Fault(status=500))
    with pytest.raises(FlowRunError):
        await execution.run(owner, chatbot, RunInputs(input_value="my name is Ann"), session_id="s")
    result = await execution.run(owner, chatbot, RunInputs(input_value="what is my name?"), session_id="s")
    assert result.outputs[0].message.text == "Your name is Ann."
    assert "failed" not in llm.requests[-1].said_by("system")


async def test_answer_that_breaks_off_is_kept_as_partial(execution, chatbot, owner, container, events_of, llm):
    """CHAT-2: an endpoint that ends in mid-stream."""
    llm.script(Fault(break_after=2))
    job = await execution.start(owner, chatbot, HELLO)
    events = [event async for event in events_of(job)]
    assert events[-1].type == "error"
    partial = next(m for m in (await container.chat().list(owner)).items if m.status is MessageStatus.PARTIAL)
    assert partial.text == "You said:"
    shown = [event.data for event in events if event.type == "add_message" and event.data["id"] == str(partial.id)]
    assert [data["text"] for data in shown] == ["", "You said:"]


async def test_run_raises_what_went_wrong(execution, chatbot, owner, llm):
    """SES-3: a typed error with the reason and the job."""
    llm.script(Fault(status=401))
    with pytest.raises(FlowRunError) as caught:
        await execution.run(owner, chatbot, HELLO)
    assert caught.value.reason != "run_failed"
    assert "key" in caught.value.what


async def test_missing_variable_is_named(execution, chatbot, owner, container, events_of):
    """VAR-1, SES-3: the error says which variable is to be made."""
    await container.variable().delete(owner, "OPENAI_API_KEY")
    job = await execution.start(owner, chatbot, HELLO)
    *_, last = [event async for event in events_of(job)]
    assert last.type == "error"
    assert "OPENAI_API_KEY" in last.data["message"]


async def test_caller_that_goes_away_cancels_its_run(execution, chatbot, owner, container, llm):
    """JOB-2: a direct run does not go on for nobody."""
    gate = Gate()
    llm.script(Fault(hold_after=(1, gate)))
    running = asyncio.create_task(execution.run(owner, chatbot, HELLO))
    await gate.reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gate.open()
    [job] = (await container.job_queue().list(owner)).items
    assert job.status is JobStatus.CANCELLED


async def test_run_that_somebody_cancels_is_told_to_its_caller(execution, chatbot, owner, container, llm):
    """JOB-2: cancel raises no CancelledError into who waits for the run."""
    gate = Gate()
    llm.script(Fault(hold_after=(1, gate)))
    running = asyncio.create_task(execution.run(owner, chatbot, HELLO))
    await gate.reached.wait()
    [job] = (await container.job_queue().list(owner)).items
    await container.job_queue().cancel(owner, job.id)
    gate.open()
    with pytest.raises(FlowRunError) as caught:
        await running
    assert caught.value.reason == "cancelled"


async def test_run_goes_on_when_its_builds_cannot_be_stored(execution, chatbot, owner, container, monkeypatch):
    """SES-3: records are no part of the run."""

    async def fail(*args, **kwargs):
        raise UnavailableError("the disk is full")

    monkeypatch.setattr(Builds, "record", fail)
    result = await execution.run(owner, chatbot, HELLO)
    assert result.outputs[0].message.text == "You said: hello there"


async def test_run_fails_when_a_message_cannot_be_stored(execution, chatbot, owner, container, events_of, monkeypatch):
    """CHAT-2: a message that the next run would not remember is not passed over in silence."""
    real = ChatService.append

    async def fail(self, user_id, message):
        if message.sender == "Machine" and not message.error:
            raise UnavailableError("the disk is full")
        return await real(self, user_id, message)

    monkeypatch.setattr(type(container.chat()), "append", fail)  # also where its operations are counted
    job = await execution.start(owner, chatbot, HELLO, session_id="s")
    events = [event async for event in events_of(job)]
    assert (events[-1].type, events[-1].data["code"]) == ("error", "unavailable")
    assert (await container.session().get(owner, chatbot.id, "s")).status is SessionStatus.FAILED


async def test_session_that_is_deleted_meanwhile_harms_no_run(execution, chatbot, owner, container, events_of, llm):
    """SES-1: there is nothing left to note the end in, and the run ends well."""
    gate = Gate()
    llm.script(Fault(hold_after=(1, gate)))
    job = await execution.start(owner, chatbot, HELLO, session_id="s")
    await gate.reached.wait()
    await container.session().delete(owner, "s")
    gate.open()
    assert [event.type async for event in events_of(job)][-1] == "end"


async def test_flow_that_is_deleted_meanwhile_ends_with_an_error(execution, chatbot, owner, container, events_of, llm):
    """SES-3: the messages of a flow go with it, so the answer has no place any more."""
    gate = Gate()
    llm.script(Fault(hold_after=(1, gate)))
    job = await execution.start(owner, chatbot, HELLO, session_id="s")
    await gate.reached.wait()
    await container.session().flows.delete(owner, chatbot.id)
    gate.open()
    assert [event.type async for event in events_of(job)][-1] == "error"
    assert (await container.chat().list(owner)).items == ()


async def test_too_many_events_end_the_run(container, container_settings, chatbot, owner, llm, execution, events_of):
    """JOB-1, ALL-6: a full log is an error of the run, told like any other."""
    host = container.job_queue()._host
    host.limits = type(host.limits)(max_events=12, max_event_bytes=10**6, max_log_bytes=10**6)
    llm.answer = lambda messages: "word " * 50
    job = await execution.start(owner, chatbot, HELLO, session_id="s")
    events = [event async for event in events_of(job)]
    assert (events[-1].type, events[-1].data["code"]) == ("error", "job_log_full")
    assert (await container.session().get(owner, chatbot.id, "s")).status is SessionStatus.FAILED
