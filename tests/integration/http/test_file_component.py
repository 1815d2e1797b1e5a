"""Files over HTTP in the flows that read them."""

from typing import Any

import httpx

from bedplate.services.auth import User
from bedplate.wiring.testing.clients import Clients
from bedplate.wiring.testing.flows import Flow


def _reading(path: str) -> dict[str, Any]:
    flow = Flow().node("file", "File", path=[path]).node("out", "ChatOutput", sender="Machine", sender_name="AI")
    return dict(flow.edge("file", "message", "out", "input_value").data)


async def _said(client: httpx.AsyncClient, path: str) -> str:
    flow = (await client.post("/api/v1/flows/", json={"name": "f", "data": _reading(path)})).json()["id"]
    events = await client.post(f"/api/v1/build/{flow}/flow?event_delivery=direct", json={})
    return events.text


async def test_upload_a_file_and_ask_about_it(as_user: httpx.AsyncClient, user: User, clients: Clients) -> None:
    """STO-1, SES-3: by the path that the upload answers, of a user's file and of a flow's; nobody else's."""
    mine = {"file": ("a.txt", b"the moon is far")}
    path = (await as_user.post("/api/v2/files", files=mine)).json()["path"]
    assert "the moon is far" in await _said(as_user, path)
    flow = (await as_user.post("/api/v1/flows/", json={"name": "holder"})).json()["id"]
    of_flow = (await as_user.post(f"/api/v1/files/upload/{flow}", files=mine)).json()["file_path"]
    assert "the moon is far" in await _said(as_user, of_flow)
    other = await clients.logged_in("other")
    for foreign in (path, of_flow, "../../bedplate.db", "/etc/hostname", f"{user.id}/../../secret_key"):
        said = await _said(other, foreign)
        assert "the moon is far" not in said
        assert "not found" in said.lower() or "not a name" in said
