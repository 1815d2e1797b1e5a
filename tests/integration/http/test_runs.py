"""Builds and runs over HTTP, with what they leave behind."""

import json
from typing import Any

import httpx
import pytest
from tests.integration.http.conftest import Upload

from bedplate.services.auth import User
from bedplate.wiring.testing.clients import Clients
from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.signals import Gate

Event = dict[str, Any]


def _lines(answer: httpx.Response) -> list[Event]:
    return [json.loads(line) for line in answer.text.split("\n\n") if line]


def _frames(text: str) -> list[Event]:
    frames = []
    for frame in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.splitlines())
        if fields:
            frames.append({"id": int(fields["id"]), "event": fields["event"], "data": json.loads(fields["data"])})
    return frames


async def _build(client: httpx.AsyncClient, flow: Event, text: str = "Hello", **query: Any) -> httpx.Response:
    body = {"inputs": {"input_value": text, "session": "s"}}
    return await client.post(f"/api/v1/build/{flow['id']}/flow", json=body, params=query)


def _types(events: list[Event]) -> list[str]:
    return [event["event"] for event in events]


async def _finished(client: httpx.AsyncClient, flow: Event, text: str = "Hello") -> str:
    job: str = (await _build(client, flow, text)).json()["job_id"]
    await client.get(f"/api/v1/build/{job}/events")
    return job


async def test_direct_delivery_streams_every_event(as_user: httpx.AsyncClient, upload: Upload) -> None:
    """JOB-2: direct delivery, NDJSON as existing clients read it."""
    answer = await _build(as_user, await upload(as_user), event_delivery="direct")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    events = _lines(answer)
    assert events[0]["event"] == "vertices_sorted"
    assert events[-1] == {"event": "end", "data": {}}
    assert {"add_message", "end_vertex", "token"} <= set(_types(events))


async def test_streaming_is_sse_where_accept_names_it(as_user: httpx.AsyncClient, upload: Upload) -> None:
    """JOB-2: SSE where Accept names text/event-stream itself, not */*."""
    job = await _finished(as_user, await upload(as_user))
    path = f"/api/v1/build/{job}/events"
    plain = await as_user.get(path, headers={"Accept": "*/*"})
    assert plain.headers["content-type"].startswith("application/x-ndjson")
    sse = await as_user.get(path, headers={"Accept": "text/event-stream"})
    assert sse.headers["content-type"].startswith("text/event-stream")
    frames = _frames(sse.text)
    assert [(frame["event"], frame["data"]) for frame in frames] == [(e["event"], e["data"]) for e in _lines(plain)]
    middle = frames[len(frames) // 2]["id"]
    rest = await as_user.get(path, headers={"Accept": "text/event-stream", "Last-Event-ID": str(middle)})
    assert _frames(rest.text) == [frame for frame in frames if frame["id"] > middle]
    assert (await as_user.get(path, headers={"Last-Event-ID": "x"})).status_code == 400


async def test_polling_goes_on_after_what_came_last(as_user: httpx.AsyncClient, upload: Upload) -> None:
    """JOB-2: polling continues after what this caller last got, unless it names an id."""
    job = (await _build(as_user, await upload(as_user))).json()["job_id"]
    path, polled = f"/api/v1/build/{job}/events", []
    while "end" not in _types(polled):
        polled += _lines(await as_user.get(path, params={"event_delivery": "polling"}))
    assert polled == _lines(await as_user.get(path))
    again = await as_user.get(path, params={"event_delivery": "polling"}, headers={"Last-Event-ID": "0"})
    assert _lines(again) == polled


async def test_cancel_is_confirmed_and_ends_the_stream(
    as_user: httpx.AsyncClient, upload: Upload, llm: LocalLLM
) -> None:
    """JOB-1, JOB-2: cancel is confirmed; the terminal event comes exactly once, and comes again to late readers."""
    gate = Gate()
    llm.script(Fault(hold_after=(2, gate)))
    flow = await upload(as_user)
    job = (await _build(as_user, flow)).json()["job_id"]
    seen: list[Event] = []
    while _types(seen).count("token") < 2:
        seen += _lines(await as_user.get(f"/api/v1/build/{job}/events", params={"event_delivery": "polling"}))
    answer = await as_user.post(f"/api/v1/build/{job}/cancel")
    gate.open()
    assert answer.json() == {"success": True, "message": "Flow build cancelled successfully"}
    events = _types(_lines(await as_user.get(f"/api/v1/build/{job}/events")))
    assert (events[-1], events.count("cancelled")) == ("cancelled", 1)
    assert (await as_user.post(f"/api/v1/build/{job}/cancel")).json()["success"] is True
    messages = (await as_user.get("/api/v1/monitor/messages", params={"session_id": "s"})).json()
    assert (messages[-1]["sender"], messages[-1]["text"]) == ("Machine", "You said:")


async def test_unknown_and_foreign_jobs_read_the_same(
    as_user: httpx.AsyncClient, upload: Upload, clients: Clients
) -> None:
    """ALL-4: another user's job answers as if it did not exist."""
    job = await _finished(as_user, await upload(as_user))
    other = await clients.logged_in("other")
    for path in (job, "00000000-0000-0000-0000-000000000000", "no-uuid"):
        for method, end in (("GET", "events"), ("POST", "cancel")):
            answer = await other.request(method, f"/api/v1/build/{path}/{end}")
            expected = f"Job not found: Job queue not found for job_id: {path}"
            assert (answer.status_code, answer.json()["detail"]) == (404, expected)


async def test_run_answers_with_a_key_and_remembers(clients: Clients, upload: Upload) -> None:
    """SES-3, CHAT-2: the second answer of a session uses the first."""
    owner, by_key = await clients.logged_in("owner"), await clients.with_key("owner")
    flow = await upload(owner, endpoint_name="chatbot")
    body = {"input_value": "my name is Ada", "session_id": "s"}
    first = (await by_key.post("/api/v1/run/chatbot", json=body)).json()
    assert first["session_id"] == "s"
    second = await by_key.post(f"/api/v1/run/{flow['id']}", json=body | {"input_value": "what is my name?"})
    result = second.json()["outputs"][0]["outputs"][0]
    assert result["results"]["message"]["text"] == "Your name is Ada."
    assert (await owner.post("/api/v1/run/chatbot", json=body)).status_code == 403
    assert (await by_key.post("/api/v1/run/nothing", json=body)).status_code == 404


async def test_run_streams_the_lines_of_the_contract(clients: Clients, upload: Upload) -> None:
    """JOB-2: /run streams always keep the contract's lines."""
    owner, by_key = await clients.logged_in("owner"), await clients.with_key("owner")
    flow = await upload(owner)
    answer = await by_key.post(f"/api/v1/run/{flow['id']}", params={"stream": True}, json={"input_value": "Hello"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = _lines(answer)
    assert "add_message" in _types(events)
    assert events[-1]["event"] == "end"
    assert events[-1]["data"]["result"]["session_id"] == flow["id"]


async def test_run_without_a_body_uses_what_the_flow_holds(clients: Clients, upload: Upload) -> None:
    owner, by_key = await clients.logged_in("owner"), await clients.with_key("owner")
    answer = await by_key.post(f"/api/v1/run/{(await upload(owner))['id']}")
    assert answer.status_code == 200, answer.text


async def test_messages_builds_and_traces_are_kept(
    as_user: httpx.AsyncClient, upload: Upload, user: User, clients: Clients
) -> None:
    """CHAT-1, TRACE-2: what a run leaves behind can be read, changed and deleted by its owner."""
    flow = await upload(as_user)
    await _finished(as_user, flow)
    which = {"flow_id": flow["id"]}
    messages = (await as_user.get("/api/v1/monitor/messages", params=which)).json()
    assert [message["sender"] for message in messages] == ["User", "Machine"]
    assert all(message["files"] == "[]" for message in messages)
    builds = (await as_user.get("/api/v1/monitor/builds", params=which)).json()["vertex_builds"]
    assert {node["id"] for node in flow["data"]["nodes"] if node["type"] != "noteNode"} == set(builds)
    transactions = (await as_user.get("/api/v1/monitor/transactions", params=which)).json()
    assert transactions["total"] == len(builds)
    runs = (await as_user.get("/api/v1/monitor/traces", params=which)).json()["items"]
    tree = (await as_user.get(f"/api/v1/monitor/traces/{runs[0]['id']}")).json()
    assert "LLM" in {span["kind"] for span in tree["spans"]}
    put = await as_user.put(f"/api/v1/monitor/messages/{messages[0]['id']}", json={"text": "Hello"})
    assert put.json()["edit"] is False
    put = await as_user.put(f"/api/v1/monitor/messages/{messages[0]['id']}", json={"text": "Goodbye"})
    assert (put.json()["edit"], put.json()["files"]) == (True, [])
    renamed = await as_user.patch("/api/v1/monitor/messages/session/s", params={"new_session_id": "t"})
    assert {message["session_id"] for message in renamed.json()} == {"t"}
    sessions = await clients.container.session().list(user.id)
    assert [session.session_id for session in sessions] == ["t"]
    assert (await as_user.get("/api/v1/monitor/messages/sessions")).json() == ["t"]
    gone = await as_user.request("DELETE", "/api/v1/monitor/messages", json=[messages[0]["id"]])
    assert gone.status_code == 204
    assert (await as_user.delete("/api/v1/monitor/messages/session/t")).status_code == 204
    assert (await as_user.get("/api/v1/monitor/messages")).json() == []
    assert await clients.container.session().list(user.id) == []
    assert (await as_user.delete("/api/v1/monitor/builds", params=which)).status_code == 204
    assert (await as_user.get("/api/v1/monitor/builds", params=which)).json() == {"vertex_builds": {}}


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(status=503), 503),
        (Fault(status=401), 400),
        (Fault(end_after=2), 502),
        (Fault(break_after=2), 502),
        (Fault(malformed_after=2), 502),
    ],
)
async def test_failing_endpoint_is_one_clear_error(
    fault: Fault, status: int, clients: Clients, upload: Upload, llm: LocalLLM
) -> None:
    """Bad input: an endpoint that is down, refuses, or ends mid-stream is a typed error, never a 500."""
    owner, by_key = await clients.logged_in("owner"), await clients.with_key("owner")
    flow = await upload(owner)
    llm.script(*[fault] * 5)
    answer = await by_key.post(f"/api/v1/run/{flow['id']}", json={"input_value": "Hello"})
    assert answer.status_code == status, answer.text
    assert llm.key not in answer.text
    assert llm.base_url not in answer.text
    llm.script(*[fault] * 5)
    events = _lines(await _build(owner, flow, event_delivery="direct"))
    assert _types(events)[-1] == "error"
    assert llm.key not in json.dumps(events)


async def test_missing_credential_is_named(clients: Clients, upload: Upload) -> None:
    owner, by_key = await clients.logged_in("owner"), await clients.with_key("owner")
    flow = await upload(owner)
    variables = (await owner.get("/api/v1/variables/")).json()
    await owner.delete(f"/api/v1/variables/{variables[0]['id']}")
    answer = await by_key.post(f"/api/v1/run/{flow['id']}", json={"input_value": "Hello"})
    assert answer.status_code == 400
    assert "OPENAI_API_KEY" in answer.json()["detail"]
