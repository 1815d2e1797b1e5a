"""Talks with a flow: runs, streams, cancels, reconnects, and looks at what was kept."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
from examples.demo.client import Client, Event
from examples.demo.steps import Steps, check

from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.signals import Gate

__all__ = [
    "PASSWORD",
    "USER",
    "cancel",
    "converse",
    "log_in",
    "look_back",
    "reconnect",
    "run_reference",
    "set_up",
    "store_credential",
    "stream",
    "upload",
]

USER, PASSWORD, SESSION = "ada", "an analytical engine", "demo"


def set_up(steps: Steps, client: Client, link: str) -> dict[str, str]:
    with steps.step("make the superuser behind the one-time link") as step:
        form = httpx.get(link)
        check(form.status_code == httpx.codes.OK and "<form" in form.text, "the link shows no form")
        token = link.partition("token=")[2]
        fields = {"token": token, "username": USER, "password": PASSWORD, "repeated": PASSWORD}
        client.call("POST", "/setup", data=fields)
        check(httpx.get(link).status_code == httpx.codes.NOT_FOUND, "the link works twice")
        step.saw(f"{USER}; the link is used up")
    return log_in(steps, client)


def log_in(steps: Steps, client: Client) -> dict[str, str]:
    with steps.step("log in") as step:
        tokens = client.log_in(USER, PASSWORD)
        user = client.call("GET", "/api/v1/users/whoami")
        check(user["username"] == USER and user["is_superuser"], f"logged in as {user}")
        step.saw(f"{user['username']}, superuser")
    return tokens


def store_credential(steps: Steps, client: Client, llm: LocalLLM) -> None:
    with steps.step("store a credential") as step:
        body = {"name": "OPENAI_API_KEY", "value": llm.key, "type": "Credential", "default_fields": ["api_key"]}
        client.call("POST", "/api/v1/variables/", status=201, json=body)
        listed = client.call("GET", "/api/v1/variables/")
        check(listed[0]["value"] is None, "the credential can be read back")
        step.saw(f"{listed[0]['name']}, which no answer shows")


def upload(steps: Steps, client: Client, path: Path) -> str:
    with steps.step(f"upload the flow {path.stem}") as step:
        document = json.loads(path.read_text(encoding="utf-8"))
        body = {"name": document["name"], "description": document["description"], "data": document["data"]}
        flow = client.call("POST", "/api/v1/flows/", status=201, json=body)
        step.saw(f"{flow['name']}, {len(flow['data']['nodes'])} nodes")
        identifier: str = flow["id"]
        return identifier


def converse(steps: Steps, client: Client, flow: str, key: str) -> None:
    with steps.step("run it") as step:
        first = client.run(flow, "Hello, my name is Ada", SESSION, key)
        step.saw(repr(first))
    with steps.step("run it again in the same session") as step:
        second = client.run(flow, "What is my name?", SESSION, key)
        check("Ada" in second, f"the memory was not used: {second!r}")
        step.saw(repr(second))
    with steps.step("run it in another session") as step:
        other = client.run(flow, "What is my name?", "another", key)
        check("Ada" not in other, f"one session remembers another: {other!r}")
        step.saw(repr(other))


def stream(steps: Steps, client: Client, flow: str) -> tuple[str, list[Event]]:
    with steps.step("stream the tokens of a build") as step:
        job = client.build(flow, "Tell me something in quite a few words", SESSION)
        events = list(client.events(job))
        said = "".join(data["chunk"] for _, kind, data in events if kind == "token")
        answers = [data["text"] for _, kind, data in events if kind == "add_message" and data["sender"] == "Machine"]
        check(events[-1][1] == "end", f"the last event is {events[-1]}")
        check(said and said == answers[-1], f"the tokens say {said!r}, the message {answers}")
        tokens = sum(kind == "token" for _, kind, _ in events)
        step.saw(f"{len(events)} events, {tokens} tokens: {said!r}")
    return job, events


def cancel(steps: Steps, client: Client, flow: str, llm: LocalLLM) -> None:
    with steps.step("cancel a third run in the middle of its answer") as step:
        gate = Gate()
        llm.script(Fault(hold_after=(3, gate)))
        job = client.build(flow, "Tell me a story without an end", SESSION)
        stream = client.events(job)
        seen = [next(event for event in stream if event[1] == "token")]
        answer = client.call("POST", f"/api/v1/build/{job}/cancel")
        check(answer["success"], f"cancel answered {answer}")
        seen += list(stream)
        gate.open()
        check(seen[-1][1] == "cancelled", f"the last event is {seen[-1]}")
        again = list(client.events(job))
        check([kind for _, kind, _ in again].count("cancelled") == 1, "the last event came more than once")
        step.saw(f"ended with {seen[-1][1]!r}, and still does for whoever reads it again")


def reconnect(steps: Steps, client: Client, streamed: tuple[str, list[Event]]) -> None:
    job, events = streamed
    with steps.step("reconnect to the events from the middle") as step:
        middle = events[len(events) // 2][0]
        rest = list(client.events(job, after=middle))
        check(rest == events[len(events) // 2 + 1 :], "what comes after the middle differs")
        step.saw(f"after {middle}: {len(rest)} events, the same as before")


def look_back(steps: Steps, client: Client, flow: str, llm: LocalLLM) -> None:
    with steps.step("read the messages") as step:
        messages = client.call("GET", "/api/v1/monitor/messages", params={"flow_id": flow, "session_id": SESSION})
        check(len(messages) >= 6, f"there are {len(messages)} messages")
        sessions = client.call("GET", "/api/v1/monitor/messages/sessions", params={"flow_id": flow})
        check(set(sessions) == {SESSION, "another"}, f"the sessions are {sessions}")
        step.saw(f"{len(messages)} messages in {len(sessions)} sessions")
    with steps.step("read the builds") as step:
        builds = client.call("GET", "/api/v1/monitor/builds", params={"flow_id": flow})["vertex_builds"]
        transactions = client.call("GET", "/api/v1/monitor/transactions", params={"flow_id": flow})
        step.saw(f"of {len(builds)} vertices; {transactions['total']} transactions")
    with steps.step("read the trace tree of a run") as step:
        traces = client.call("GET", "/api/v1/monitor/traces", params={"flow_id": flow})["items"]
        tree = client.call("GET", f"/api/v1/monitor/traces/{traces[-1]['id']}")
        spans = list(_flat(tree["spans"]))
        check(any(span["kind"] == "LLM" for span in spans), "no span of the language model")
        step.saw(f"{len(traces)} runs; the first has {', '.join(span['name'] for span in spans)}")
    with steps.step("read the metrics") as step:
        text = client.call("GET", "/metrics")
        found = re.findall(r"^(bedplate_\w+?)(?:_total|_bucket|_sum|_count)?(?:\{.*)? [\d.e+-]+$", text, re.MULTILINE)
        check(found, "there are no metrics")
        step.saw(f"{len(set(found))} of Bedplate's own")
    with steps.step("look for the credential in all that") as step:
        paths = ("/api/v1/monitor/messages", "/api/v1/monitor/traces", "/metrics", "/api/v1/services")
        texts = [client.http.get(path).text for path in paths] + [json.dumps([builds, transactions, tree])]
        check(not any(llm.key in text or llm.base_url in text for text in texts), "the key or the endpoint is shown")
        step.saw("neither the key nor the endpoint is there")


def _flat(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for span in spans for each in (span, *_flat(span["children"]))]


def run_reference(steps: Steps, client: Client, path: Path, key: str) -> None:
    flow = upload(steps, client, path)
    with steps.step(f"run the reference flow {path.stem}") as step:
        said = client.run(flow, "Hello, my name is Ada", path.stem, key)
        check(said, "it says nothing")
        step.saw(repr(said[:60]))
