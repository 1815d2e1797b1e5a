"""Webhooks over HTTP: other systems start flows, and may start no others."""

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest

from bedplate.wiring.testing.clients import Clients
from bedplate.wiring.testing.flows import Flow

WEBHOOK, FLOWS = "/api/v1/webhook", "/api/v1/flows/"
DOCUMENT = (
    Flow()
    .node("Webhook-1", "Webhook", data="")
    .node("prompt", "Prompt", template="{body}", body="")
    .node("out", "ChatOutput")
    .edge("Webhook-1", "output_data", "prompt", "body")
    .edge("prompt", "prompt", "out", "input_value")
)


async def _flow(client: httpx.AsyncClient, **fields: Any) -> str:
    answer = await client.post(FLOWS, json={"name": "hooked", "data": DOCUMENT.data} | fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _received(owner: httpx.AsyncClient, answer: httpx.Response) -> Any:
    """What the flow made of a payload: its end is waited for, and its last message read."""
    assert answer.status_code == 202, answer.text
    started = answer.json()
    assert started.items() >= {"message": "Task started in the background", "status": "in progress"}.items()
    events = (await owner.get(f"/api/v1/build/{started['job_id']}/events")).text.split("\n\n")
    messages = [json.loads(line)["data"] for line in events if '"add_message"' in line]
    assert '"end"' in events[-2], events
    return json.loads(messages[-1]["text"])


async def test_the_payload_reaches_the_flow(clients: Clients) -> None:
    """SES-3: by id and by endpoint name, with the owner's key or token; the run is kept like any other."""
    owner, by_key = await clients.logged_in("owner"), await clients.with_key("owner")
    flow = await _flow(owner, endpoint_name="hook")
    for client, name in ((by_key, flow), (by_key, "hook"), (owner, "hook")):
        answer = await client.post(f"{WEBHOOK}/{name}", json={"order": 5, "who": "Ada"})
        assert await _received(owner, answer) == {"order": 5, "who": "Ada"}
    runs = (await owner.get("/api/v1/monitor/traces")).json()["items"]
    assert [run["flow_id"] for run in runs] == [flow] * 3


@pytest.mark.parametrize(
    ("payload", "received"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"[1, 2]", {"payload": [1, 2]}),
        (b"hello", {"payload": "hello"}),
        (b"a=1&b=2", {"payload": "a=1&b=2"}),
        (b"5", {"payload": 5}),
        (b"null", {}),
        (b" ", {"payload": " "}),
        (b"\xff\x00", {"payload": "\ufffd\x00"}),
        (b"[" * 100_000, {"payload": "[" * 100_000}),
        (b'{"a": ' + b"9" * 400 + b"}", None),
        (b'{"text": "\\ud800"}', None),
    ],
)
async def test_every_payload_that_is_not_empty_is_taken(
    payload: bytes, received: Any, as_user: httpx.AsyncClient
) -> None:
    """SES-3: JSON or not, text or not; whatever is sent, the run comes to an end."""
    flow = await _flow(as_user)
    answer = await as_user.post(f"{WEBHOOK}/{flow}", content=payload)
    got = await _received(as_user, answer) if received is not None else None
    assert got == received
    if received is None:
        events = await as_user.get(f"/api/v1/build/{answer.json()['job_id']}/events")
        assert (answer.status_code, events.text.count('"event":"end"')) == (202, 1)


async def test_unknown_goes_before_empty(as_user: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    """SES-3: 404 for an unknown flow whatever is sent, then 400 for nothing."""
    flow = await _flow(as_user)
    for caller in (as_user, client):
        unknown = await caller.post(f"{WEBHOOK}/nothing")
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "Flow identifier nothing not found")
    empty = await as_user.post(f"{WEBHOOK}/{flow}", content=b"")
    assert (empty.status_code, empty.json()["detail"]) == (400, "Request body is empty")
    no_graph = await as_user.post(FLOWS, json={"name": "empty"})
    refused = await as_user.post(f"{WEBHOOK}/{no_graph.json()['id']}", json={"a": 1})
    assert refused.status_code == 400
    assert (await as_user.get("/api/v1/monitor/traces")).json()["items"] == []


async def test_a_private_flow_needs_its_owner(clients: Clients, client: httpx.AsyncClient) -> None:
    """ALL-4: for anybody else it does not exist; bad credentials are refused, whatever they ask for."""
    owner = await clients.logged_in("owner")
    flow = await _flow(owner, endpoint_name="hook")
    other = await clients.with_key("other")
    for caller in (client, other):
        for name in (flow, "hook"):
            assert (await caller.post(f"{WEBHOOK}/{name}", json={"a": 1})).status_code == 404
    owner_id = (await owner.get("/api/v1/users/whoami")).json()["id"]
    named = await client.post(f"{WEBHOOK}/hook", json={"a": 1}, params={"user_id": owner_id})
    assert named.status_code == 404
    assert (await client.post(f"{WEBHOOK}/{flow}", json={}, headers={"x-api-key": "sk-bad"})).status_code == 403
    bearer = {"Authorization": "Bearer bad"}
    assert (await client.post(f"{WEBHOOK}/{flow}", json={}, headers=bearer)).status_code == 401
    assert (await owner.get("/api/v1/monitor/traces")).json()["items"] == []


async def test_a_key_needs_the_scope_that_runs_flows(clients: Clients) -> None:
    """AUTH-4: a key that may only read starts nothing, not even what is public."""
    owner = await clients.logged_in("owner")
    private, public = await _flow(owner), await _flow(owner, name="public", access_type="PUBLIC")
    made = await owner.post("/api/v1/api_key/", json={"name": "reader", "scopes": ["flows:read"]})
    headers = {"x-api-key": made.json()["api_key"]}
    for flow in (private, public):
        refused = await (await clients.anonymous()).post(f"{WEBHOOK}/{flow}", json={"a": 1}, headers=headers)
        assert refused.status_code == 403
    assert (await owner.get("/api/v1/monitor/traces")).json()["items"] == []


async def test_a_public_flow_is_anybodys_to_start_and_its_owners_to_follow(
    clients: Clients, client: httpx.AsyncClient
) -> None:
    """ALL-4: by its id alone, for two users may have an endpoint of one name; the run is its owner's."""
    owner, other = await clients.logged_in("owner"), await clients.with_key("other")
    flow = await _flow(owner, endpoint_name="hook", access_type="PUBLIC")
    owner_id = (await owner.get("/api/v1/users/whoami")).json()["id"]
    for caller, query in ((client, {}), (other, {}), (client, {"user_id": owner_id})):
        answer = await caller.post(f"{WEBHOOK}/{flow}", json={"a": 1}, params=query)
        assert await _received(owner, answer) == {"a": 1}
        assert (await other.get(f"/api/v1/build/{answer.json()['job_id']}/events")).status_code == 404
    assert (await other.get("/api/v1/monitor/messages")).json() == []
    assert (await client.post(f"{WEBHOOK}/hook", json={"a": 1})).status_code == 404
    elsewhere = {"user_id": str(uuid.uuid4())}
    assert (await client.post(f"{WEBHOOK}/{flow}", json={"a": 1}, params=elsewhere)).status_code == 404


async def test_many_at_once_are_kept_apart(as_user: httpx.AsyncClient) -> None:
    """SES-2: every run has its own payload."""
    flow = await _flow(as_user)
    answers = await asyncio.gather(*(as_user.post(f"{WEBHOOK}/{flow}", json={"number": i}) for i in range(20)))
    received = [await _received(as_user, answer) for answer in answers]
    assert received == [{"number": i} for i in range(20)]
