"""CHAT-4 and SES-1 over HTTP: messages are searched, sessions exported, forked and named."""

from typing import Any

import httpx
from tests.integration.http.conftest import Upload

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import User
from bedplate.services.chat import NewMessage


async def _said(client: httpx.AsyncClient, upload: Upload, text: str, session: str) -> str:
    """Say something to a flow; the id of the message."""
    flow = await upload(client)
    sent = {"inputs": {"input_value": text, "session": session}}
    job = (await client.post(f"/api/v1/build/{flow['id']}/flow", json=sent)).json()["job_id"]
    await client.get(f"/api/v1/build/{job}/events")
    messages = (await client.get("/api/v1/monitor/messages", params={"session_id": session})).json()
    return str(next(message["id"] for message in messages if message["text"] == text))


async def test_messages_are_searched(as_user: httpx.AsyncClient, upload: Upload) -> None:
    """CHAT-4: with the places of what matches."""
    message = await _said(as_user, upload, "Where is the plum tree?", "s")
    answer = await as_user.get("/api/v1/monitor/messages/search", params={"q": "plum tree", "sender": "User"})
    [hit] = answer.json()["items"]
    assert hit["message"]["id"] == message
    assert [hit["snippet"]["text"][start:end] for start, end in hit["snippet"]["matches"]] == ["plum", "tree"]
    assert answer.json()["next_cursor"] is None


async def test_sessions_are_exported(as_user: httpx.AsyncClient, upload: Upload) -> None:
    """CHAT-4: as files to save, under a name that leads nowhere else."""
    await _said(as_user, upload, "Hello", '../a "b"')
    for form, media_type, suffix in (("json", "application/json", "json"), ("markdown", "text/markdown", "md")):
        query = {"session_id": '../a "b"', "format": form}
        answer = await as_user.get("/api/v1/monitor/messages/export", params=query)
        assert answer.headers["content-type"].partition(";")[0] == media_type
        assert answer.headers["content-disposition"].startswith(f'attachment; filename=".._a _b_.{suffix}"')
        assert "Hello" in answer.text
    assert (await as_user.get("/api/v1/monitor/messages/export", params={"session_id": "none"})).status_code == 404


async def test_sessions_are_forked(as_user: httpx.AsyncClient, upload: Upload) -> None:
    """CHAT-4: named or not; onto one that is there is a conflict."""
    message = await _said(as_user, upload, "Hello", "s")
    path = f"/api/v1/monitor/messages/{message}/fork"
    made = await as_user.post(path)
    assert (made.status_code, made.json()["origin"], made.json()["messages"]) == (201, "s", 1)
    assert (await as_user.post(path, json={"session_id": "t"})).json()["session_id"] == "t"
    assert (await as_user.post(path, json={"session_id": "t"})).status_code == 409
    sessions = (await as_user.get("/api/v1/monitor/messages/sessions")).json()
    assert set(sessions) == {"s", "t", made.json()["session_id"]}


async def test_sessions_of_flows_are_listed_and_named(as_user: httpx.AsyncClient, upload: Upload) -> None:
    """SES-1: what people call a session; its id stays."""
    await _said(as_user, upload, "Hello", "s")
    [found] = (await as_user.get("/api/v1/monitor/sessions")).json()
    assert (found["session_id"], found["name"], found["status"], found["runs"]) == ("s", None, "idle", 1)
    path = f"/api/v1/monitor/sessions/{found['flow_id']}"
    named = await as_user.patch(path, json={"session_id": "s", "name": "Travel plans"})
    assert named.json() == found | {"name": "Travel plans"}
    assert (await as_user.get("/api/v1/monitor/sessions", params={"flow_id": found["flow_id"]})).json() == [
        named.json()
    ]
    assert (await as_user.patch(path, json={"session_id": "t", "name": "x"})).status_code == 404
    assert (await as_user.patch(path, json={"session_id": "s", "name": ""})).status_code == 400
    assert (await as_user.patch(path, json={"session_id": "s", "name": None})).json()["name"] is None


async def test_what_components_store_is_shown_whatever_its_shape(
    as_user: httpx.AsyncClient, container: ApplicationContainer, user: User
) -> None:
    """CHAT-1: content blocks and properties that clients do not know are in a shape that they do, with nothing lost."""
    text = {"type": "text", "text": "x"}
    blocks: dict[str, tuple[Any, Any]] = {
        "no contents": ({"title": "t"}, ("t", [{"type": "json", "data": {"title": "t"}}])),
        "no title": ({"contents": [text]}, ("", [{"type": "json", "data": {"contents": [text]}}])),
        "odd contents": ({"title": "t", "contents": ["x", 3]}, ("t", [text, {"type": "json", "data": {"value": 3}}])),
        "odd media": (
            {"title": "t", "contents": [], "media_url": 1},
            ("t", [{"type": "json", "data": {"title": "t", "contents": [], "media_url": 1}}]),
        ),
        "a text": ("x", ("", [text])),
        "nothing": (None, ("", [{"type": "json", "data": {"value": None}}])),
    }
    odd: dict[str, Any] = {"state": "dreaming", "source": "a model", "icon": "Bot", "mine": 1}
    message = NewMessage(
        session_id="s",
        sender="Machine",
        sender_name="a component",
        text="a plum",
        files=("a.txt", {"path": "b.txt"}),  # type: ignore[arg-type]  # as untyped components may have it
        properties=odd,
        content_blocks=(*(stored for stored, _ in blocks.values()), {"title": "t", "contents": [], "mine": 1}),
    )
    stored = await container.chat().append(user.id, message)
    path = "/api/v1/monitor/messages"
    listed = (await as_user.get(path)).json()
    renamed = (await as_user.patch(f"{path}/session/s", params={"new_session_id": "t"})).json()
    found = (await as_user.get(f"{path}/search", params={"q": "plum"})).json()["items"]
    updated = (await as_user.put(f"{path}/{stored.id}", json={"edit": True})).json()
    assert updated["files"] == found[0]["message"]["files"] == ["a.txt", '{"path":"b.txt"}']
    for shown in (listed[0], renamed[0], found[0]["message"], updated):
        *contents, last = [(block["title"], block["contents"]) for block in shown["content_blocks"]]
        assert dict(zip(blocks, contents, strict=True)) == {name: wanted for name, (_, wanted) in blocks.items()}
        assert (last, shown["content_blocks"][-1]["mine"]) == (("t", []), 1)
        properties = shown["properties"]
        assert (properties["state"], properties["icon"], properties["mine"]) == ("complete", "Bot", 1)
        assert properties["unfit"] == {"state": "dreaming", "source": "a model"}
    again = (await as_user.put(f"{path}/{stored.id}", json={"properties": updated["properties"]})).json()
    assert again["properties"] == updated["properties"]
    for form in ("json", "markdown"):
        answer = await as_user.get(f"{path}/export", params={"session_id": "t", "format": form})
        assert (answer.status_code, "plum" in answer.text) == (200, True)
