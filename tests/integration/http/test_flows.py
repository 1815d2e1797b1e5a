"""Flows, projects and components over HTTP, as existing clients use them."""

import gzip
from typing import Any

import httpx
import pytest

from bedplate.services.auth import User
from bedplate.wiring.testing.clients import PASSWORD, Clients

NOBODY = "00000000-0000-0000-0000-000000000000"
FLOWS, PROJECTS = "/api/v1/flows/", "/api/v1/projects/"
Object = dict[str, Any]


async def _flow(client: httpx.AsyncClient, name: str = "x", **fields: Any) -> Object:
    answer = await client.post(FLOWS, json={"name": name} | fields)
    assert answer.status_code == 201, answer.text
    flow: Object = answer.json()
    return flow


async def _project(client: httpx.AsyncClient, name: str = "p", **fields: Any) -> Object:
    answer = await client.post(PROJECTS, json={"name": name} | fields)
    assert answer.status_code == 201, answer.text
    project: Object = answer.json()
    return project


async def _raw(client: httpx.AsyncClient, url: str, **headers: str) -> tuple[httpx.Headers, bytes]:
    async with client.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        return answer.headers, b"".join([chunk async for chunk in answer.aiter_raw()])


@pytest.mark.parametrize("accepted", ["identity", "gzip", "br"])
async def test_lists_of_flows_and_components_are_always_compressed(as_user: httpx.AsyncClient, accepted: str) -> None:
    """Whatever Accept-Encoding says, as existing clients count on it."""
    await _flow(as_user)
    for url in (FLOWS, f"{FLOWS}?header_flows=true", f"{FLOWS}?get_all=false", "/api/v1/all"):
        headers, body = await _raw(as_user, url, **{"Accept-Encoding": accepted})
        assert headers["content-encoding"] == "gzip"
        assert headers["content-type"] == "application/json"
        assert gzip.decompress(body)[:1] in (b"[", b"{")


async def test_components_are_answered_once_per_version(as_user: httpx.AsyncClient) -> None:
    """SCC-1: an ETag, and 304 without a body for whoever has that version."""
    first = await as_user.get("/api/v1/all")
    etag = first.headers["etag"]
    assert "ChatInput" in first.text
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await as_user.get("/api/v1/all", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await as_user.get("/api/v1/all", headers={"If-None-Match": '"other"'})).status_code == 200


async def test_taken_names_get_a_number_at_creation(as_user: httpx.AsyncClient) -> None:
    """SES-1: ``x (1)`` and ``x-1``."""
    made = [await _flow(as_user, endpoint_name="x") for _ in range(3)]
    assert [flow["endpoint_name"] for flow in made] == ["x", "x-1", "x-2"]
    assert [flow["name"] for flow in made] == ["x", "x (1)", "x (2)"]


async def test_names_are_taken_by_the_users_own_flows_alone(as_user: httpx.AsyncClient, clients: Clients) -> None:
    other = await clients.logged_in("other")
    await _flow(other, endpoint_name="x")
    assert (await _flow(as_user, endpoint_name="x"))["endpoint_name"] == "x"


async def test_a_patch_to_a_taken_name_is_a_400(as_user: httpx.AsyncClient) -> None:
    await _flow(as_user, "a", endpoint_name="a")
    flow = await _flow(as_user, "b", endpoint_name="b")
    for body in ({"name": "a", "endpoint_name": "b"}, {"endpoint_name": "a"}):
        answer = await as_user.patch(FLOWS + flow["id"], json=body)
        assert (answer.status_code, answer.json()["detail"]) == (400, " flow must be unique")
    assert (await as_user.get(FLOWS + flow["id"])).json() == flow


async def test_a_patch_without_endpoint_name_clears_it(as_user: httpx.AsyncClient) -> None:
    flow = await _flow(as_user, endpoint_name="x", description="d")
    kept = (await as_user.patch(FLOWS + flow["id"], json={"name": "y", "endpoint_name": "x"})).json()
    assert (kept["name"], kept["endpoint_name"], kept["description"]) == ("y", "x", "d")
    cleared = (await as_user.patch(FLOWS + flow["id"], json={})).json()
    assert (cleared["name"], cleared["endpoint_name"], cleared["description"]) == ("y", None, "d")


async def test_webhook_is_found_by_a_patch(as_user: httpx.AsyncClient) -> None:
    data = {"nodes": [{"id": "Webhook-1", "data": {}}], "edges": []}
    flow = await _flow(as_user, data=data)
    assert flow["webhook"] is False
    assert (await as_user.patch(FLOWS + flow["id"], json={"data": data})).json()["webhook"] is True


async def test_flows_that_are_not_there(as_user: httpx.AsyncClient) -> None:
    for method, expected in (("GET", "Flow not found"), ("PATCH", "404: Flow not found"), ("DELETE", "Flow not found")):
        answer = await as_user.request(method, FLOWS + NOBODY, json={} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["detail"]) == (404, expected)
    flow = await _flow(as_user)
    assert (await as_user.delete(FLOWS + flow["id"])).json() == {"message": "Flow deleted successfully"}
    kept = await _flow(as_user)
    deleted = await as_user.request("DELETE", FLOWS, json=[kept["id"], flow["id"], NOBODY])
    assert deleted.json() == {"deleted": 1}


async def test_what_the_server_decides_is_not_the_callers(as_user: httpx.AsyncClient, user: User) -> None:
    """Owner and paths of the server: a body that names them changes nothing."""
    flow = await _flow(as_user, user_id=NOBODY, fs_path="/etc/passwd")
    assert flow["user_id"] == str(user.id)
    assert "fs_path" not in flow


async def test_a_public_flow_is_readable_by_anyone(
    as_user: httpx.AsyncClient, client: httpx.AsyncClient, clients: Clients
) -> None:
    public, private = await _flow(as_user, "a", access_type="PUBLIC"), await _flow(as_user, "b")
    other = await clients.logged_in("other")
    for reader in (client, other):
        found = await reader.get(f"{FLOWS}public_flow/{public['id']}")
        assert (found.status_code, found.json()["id"]) == (200, public["id"])
        missing = await reader.get(f"{FLOWS}public_flow/{private['id']}")
        assert (missing.status_code, missing.json()["detail"]) == (404, "Flow not found")
    assert (await other.get(FLOWS + public["id"])).status_code == 404
    assert (await other.patch(FLOWS + public["id"], json={"name": "mine"})).status_code == 404
    await as_user.patch(FLOWS + public["id"], json={"access_type": "PRIVATE"})
    assert (await client.get(f"{FLOWS}public_flow/{public['id']}")).status_code == 404


async def test_the_default_project_is_there_from_the_beginning_and_first(client: httpx.AsyncClient, user: User) -> None:
    """SES-1: made at login, and where flows go unless told otherwise."""
    sent = {"username": "user", "password": PASSWORD}
    token = (await client.post("/api/v1/login", data=sent)).json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    await _project(client, "A project")
    listed = (await client.get(PROJECTS)).json()
    assert [project["name"] for project in listed] == ["Starter Project", "A project"]
    assert (await _flow(client))["folder_id"] == listed[0]["id"]


async def test_projects_say_how_they_are_called(as_user: httpx.AsyncClient) -> None:
    made = await _project(as_user)
    assert made["auth_settings"] == {"auth_type": "apikey"}
    project = (await as_user.get(PROJECTS + made["id"])).json()
    assert (project["auth_settings"], project["flows"]) == (made["auth_settings"], [])
    changed = await as_user.patch(PROJECTS + made["id"], json={"auth_settings": {"auth_type": "none"}})
    assert changed.json()["auth_settings"] == {"auth_type": "none"}


async def test_a_project_is_paged_where_page_and_size_are_given(as_user: httpx.AsyncClient) -> None:
    project = await _project(as_user)
    flows = [await _flow(as_user, f"f{number}", folder_id=project["id"]) for number in range(3)]
    url = PROJECTS + project["id"]
    for query in ({}, {"page": 1}, {"size": 1}):
        inline = (await as_user.get(url, params=query)).json()
        assert [flow["id"] for flow in inline["flows"]] == [flow["id"] for flow in flows]
    paged = (await as_user.get(url, params={"page": 2, "size": 2})).json()
    assert set(paged) == {"folder", "flows"}
    assert paged["folder"]["id"] == project["id"]
    assert [flow["id"] for flow in paged["flows"].pop("items")] == [flows[2]["id"]]
    assert paged["flows"] == {"total": 3, "page": 2, "size": 2, "pages": 2}


async def test_deleting_a_project_deletes_its_flows(as_user: httpx.AsyncClient) -> None:
    project, kept = await _project(as_user), await _flow(as_user, "kept")
    flow = await _flow(as_user, "gone", folder_id=project["id"])
    answer = await as_user.delete(PROJECTS + project["id"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await as_user.get(FLOWS + flow["id"])).status_code == 404
    assert (await as_user.get(FLOWS + kept["id"])).status_code == 200
    assert (await as_user.get(PROJECTS + project["id"])).status_code == 404
    assert (await as_user.delete(PROJECTS + project["id"])).status_code == 404


async def test_flows_move_into_projects_and_stay_unless_sent_away(as_user: httpx.AsyncClient) -> None:
    a, b = await _flow(as_user, "a"), await _flow(as_user, "b")
    project = await _project(as_user, flows_list=[a["id"]], components_list=[b["id"]])
    url = PROJECTS + project["id"]
    await as_user.patch(url, json={"description": "d"})
    assert {flow["id"] for flow in (await as_user.get(url)).json()["flows"]} == {a["id"], b["id"]}
    await as_user.patch(url, json={"flows": [b["id"]]})
    assert [flow["id"] for flow in (await as_user.get(url)).json()["flows"]] == [b["id"]]
    assert (await as_user.get(FLOWS + a["id"])).json()["folder_id"] == a["folder_id"]


async def test_taken_names_of_projects(as_user: httpx.AsyncClient) -> None:
    one, other = await _project(as_user), await _project(as_user)
    assert (one["name"], other["name"]) == ("p", "p (1)")
    answer = await as_user.patch(PROJECTS + other["id"], json={"name": "p"})
    assert (answer.status_code, answer.json()["detail"]) == (400, "Project name must be unique")


@pytest.mark.parametrize(
    ("path", "methods"),
    [("", ("GET", "POST")), ("?x=1", ("GET", "POST")), (f"{NOBODY}?page=1&size=2", ("GET", "PATCH", "DELETE"))],
)
async def test_folders_send_on_to_projects(client: httpx.AsyncClient, path: str, methods: tuple[str, ...]) -> None:
    """The older name: a relative address, the same query, and no look at credentials."""
    for method in methods:
        answer = await client.request(method, f"/api/v1/folders/{path}")
        assert (answer.status_code, answer.headers["location"]) == (307, f"/api/v1/projects/{path}")
