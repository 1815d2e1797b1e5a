"""The store over HTTP, as existing clients use it."""

import socket
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bedplate.containers import ApplicationContainer
from bedplate.services.database.repositories.store_key import StoreKeyRepository
from bedplate.wiring.testing.clients import Clients
from bedplate.wiring.testing.store.harness import flow

STORE = "/api/v1/store"
KEY = "the-store-key-of-a-user"


def _body(name: str = "An agent", **fields: Any) -> dict[str, Any]:
    body = {"name": name, "description": "d", "data": flow(name), "tags": ["Memory"], "is_component": False}
    return body | {"private": False} | fields


async def _with_store_key(clients: Clients, name: str) -> httpx.AsyncClient:
    client = await clients.logged_in(name)
    saved = await client.post("/api/v1/api_key/store", json={"api_key": KEY})
    assert (saved.status_code, saved.json()) == (200, {"detail": "API Key saved"})
    return client


@pytest.fixture
async def ann(clients: Clients) -> httpx.AsyncClient:
    return await _with_store_key(clients, "ann")


@pytest.fixture
async def ben(clients: Clients) -> httpx.AsyncClient:
    return await _with_store_key(clients, "ben")


async def test_published_by_one_and_downloaded_by_another(ann: httpx.AsyncClient, ben: httpx.AsyncClient) -> None:
    """STORE-1: in the shapes of the contract."""
    made = await ann.post(f"{STORE}/components/", json=_body())
    assert made.status_code == 201, made.text
    id_ = made.json()["id"]
    assert (made.json()["namespaced_id"], made.json()["version"]) == ("ann/an-agent", "1.0.0")
    listed = (await ben.get(f"{STORE}/components/", params={"search": "agent"})).json()
    assert (listed["count"], listed["authorized"]) == (1, True)
    assert listed["results"][0] | {"date_created": None, "date_updated": None} == {
        "id": id_,
        "name": "An agent",
        "description": "d",
        "liked_by_count": 0,
        "liked_by_user": False,
        "is_component": False,
        "metadata": {"Prompt": {"count": 1}, "total": 1},
        "user_created": {"username": "ann"},
        "tags": [{"id": listed["results"][0]["tags"][0]["id"], "name": "Memory"}],
        "downloads_count": 0,
        "last_tested_version": None,
        "private": False,
        "namespaced_id": "ann/an-agent",
        "parent": None,
        "version": "1.0.0",
        "digest": made.json()["digest"],
        "date_created": None,
        "date_updated": None,
    }
    got = await ben.get(f"{STORE}/components/{id_}")
    assert got.status_code == 200
    assert (got.json()["data"], got.json()["digest"]) == (flow("An agent"), made.json()["digest"])
    assert (await ben.get(f"{STORE}/components/{id_}")).status_code == 200
    assert (await ann.get(f"{STORE}/components/")).json()["results"][0]["downloads_count"] == 2
    uploaded = await ben.post("/api/v1/flows/", json={"name": "mine", "data": got.json()["data"]})
    assert uploaded.status_code == 201


async def test_without_a_store_key(as_user: httpx.AsyncClient) -> None:
    """STORE-1: a 400 whatever the body, where the contract asks for a key; reading lists takes none."""
    id_ = uuid.uuid4()
    for method, path in (
        ("POST", "components/"),
        ("PATCH", f"components/{id_}"),
        ("GET", f"components/{id_}"),
        ("GET", "users/likes"),
        ("POST", f"users/likes/{id_}"),
    ):
        for body in (None, {}, {"name": 1}, _body()):
            answer = await as_user.request(method, f"{STORE}/{path}", json=body)
            assert (answer.status_code, answer.json()["detail"]) == (400, "You must have a store API key set.")
    listed = await as_user.get(f"{STORE}/components/")
    assert (listed.status_code, listed.json()) == (200, {"count": 0, "authorized": False, "results": []})
    status = {"has_api_key": False, "is_valid": False}
    assert (await as_user.get(f"{STORE}/check/api_key")).json() == status


async def test_checks_and_tags_take_no_credentials(client: httpx.AsyncClient) -> None:
    """STORE-1: the list of tags once failed without a key."""
    assert (await client.get(f"{STORE}/check/")).json() == {"enabled": True}
    tags = (await client.get(f"{STORE}/tags")).json()
    assert "Memory" in [tag["name"] for tag in tags]
    assert all(uuid.UUID(tag["id"]) for tag in tags)


async def test_the_store_key_is_shown_nowhere(
    ann: httpx.AsyncClient, container: ApplicationContainer, caplog: pytest.LogCaptureFixture
) -> None:
    """STORE-1: neither in an answer, nor in a cookie, nor in the database, nor in a log."""
    assert (await ann.get(f"{STORE}/check/api_key")).json() == {"has_api_key": True, "is_valid": True}
    saved = await ann.post("/api/v1/api_key/store", json={"api_key": KEY})
    me = await ann.get("/api/v1/users/whoami")
    assert me.json()["store_api_key"] is None
    for answer in (saved, me, await ann.get("/api/v1/api_key/"), await ann.get("/api/v1/variables/")):
        assert KEY not in answer.text
        assert "set-cookie" not in answer.headers
    async with container.database().session() as session:
        stored = await StoreKeyRepository(session).get(uuid.UUID(me.json()["id"]))
    assert stored
    assert KEY not in stored
    assert KEY not in caplog.text
    assert container.redactor().text(f"sent {KEY}") == "sent __REDACTED__"
    assert (await ann.delete("/api/v1/api_key/store")).status_code == 200
    assert (await ann.get(f"{STORE}/check/api_key")).json()["has_api_key"] is False


async def test_a_store_key_that_cannot_be_decrypted(ann: httpx.AsyncClient, container: ApplicationContainer) -> None:
    """STORE-1: is an error that says what to do; a new one puts it right."""
    user_id = uuid.UUID((await ann.get("/api/v1/users/whoami")).json()["id"])
    async with container.database().transaction() as session:
        await StoreKeyRepository(session).set(user_id, "gAAAAABmZXJuZXQ=")
    answer = await ann.post(f"{STORE}/components/", json=_body())
    assert answer.status_code == 409
    assert answer.json()["detail"] == "Failed to decrypt the store API key. Please set a new one."
    assert (await ann.get(f"{STORE}/check/api_key")).json() == {"has_api_key": True, "is_valid": False}
    assert (await ann.get(f"{STORE}/components/")).json()["authorized"] is False
    await ann.post("/api/v1/api_key/store", json={"api_key": KEY})
    assert (await ann.post(f"{STORE}/components/", json=_body())).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "two words", "a\nb", "ключ", "x" * 1025])
async def test_what_cannot_be_a_store_key_is_refused(as_user: httpx.AsyncClient, key: str) -> None:
    """STORE-1: it would be sent in a header."""
    answer = await as_user.post("/api/v1/api_key/store", json={"api_key": key})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:bedplate:error:store_key_invalid")


async def test_likes(ann: httpx.AsyncClient, ben: httpx.AsyncClient) -> None:
    """STORE-1: POST goes back and forth, as existing clients use it; PUT and DELETE may be repeated."""
    id_ = (await ann.post(f"{STORE}/components/", json=_body())).json()["id"]
    path = f"{STORE}/users/likes/{id_}"
    for method, count, liked in (
        ("POST", 1, True),
        ("POST", 0, False),
        ("PUT", 1, True),
        ("PUT", 1, True),
        ("DELETE", 0, False),
        ("DELETE", 0, False),
        ("POST", 1, True),
    ):
        answer = (await ben.request(method, path)).json()
        assert answer == {"likes_count": count, "liked_by_user": liked, "component_id": id_}, method
    likes = (await ben.get(f"{STORE}/users/likes")).json()
    assert likes == [{"likes_count": 1, "liked_by_user": True, "component_id": id_}]
    assert (await ann.get(f"{STORE}/users/likes")).json() == []
    assert (await ben.get(f"{STORE}/components/", params={"liked": True})).json()["count"] == 1
    assert (await ann.get(f"{STORE}/components/", params={"liked": True})).json()["count"] == 0


async def test_lists(ann: httpx.AsyncClient) -> None:
    """STORE-1: sorts and fields as existing clients name them; lists repeated or with commas."""
    first = (await ann.post(f"{STORE}/components/", json=_body("a", tags=["Memory", "Tools"]))).json()["id"]
    await ann.post(f"{STORE}/components/", json=_body("b"))
    await ann.get(f"{STORE}/components/{first}")

    async def names(**query: Any) -> list[str]:
        answer = await ann.get(f"{STORE}/components/", params=query)
        assert answer.status_code == 200, answer.text
        return [item["name"] for item in answer.json()["results"]]

    assert await names(sort="name") == ["a", "b"]
    assert await names(sort="-name") == ["b", "a"]
    for sort in ("-count(downloads)", "-downloads_count,name"):
        assert await names(sort=sort) == ["a", "b"]
    assert await names(tags="Memory,Tools") == ["a"]
    assert await names(tags=["memory", "TOOLS"]) == ["a"]
    assert await names(component_id=first) == ["a"]
    assert await names(search=f"https://store.example/store/{first}") == ["a"]
    assert await names(sort="name", limit=1, page=2) == ["b"]
    fields = "id,count(liked_by),tags.tags_id.name,user_created.username"
    (found, _) = (await ann.get(f"{STORE}/components/", params={"fields": fields, "sort": "name"})).json()["results"]
    told = {name for name, value in found.items() if value is not None}
    assert told == {"id", "liked_by_count", "tags", "user_created"}
    for query in ({"sort": "password"}, {"fields": "password"}, {"search": "x" * 1_001}):
        assert (await ann.get(f"{STORE}/components/", params=query)).status_code == 400
    for query in ({"page": 0}, {"limit": 0}):
        assert (await ann.get(f"{STORE}/components/", params=query)).status_code == 422


async def test_an_update_and_its_versions(ann: httpx.AsyncClient, ben: httpx.AsyncClient) -> None:
    """STORE-2: what the body leaves out stays; yanked versions are a 409 that says why."""
    made = (await ann.post(f"{STORE}/components/", json=_body(last_tested_version="1.6"))).json()
    path = f"{STORE}/components/{made['id']}"
    body = _body("New name", data=flow("new"))
    del body["private"]
    updated = await ann.patch(path, json=body)
    assert (updated.status_code, updated.json()["version"]) == (201, "1.0.1")
    assert (await ben.get(path)).json()["name"] == "New name"
    versions = (await ben.get(f"{path}/versions")).json()
    assert [version["version"] for version in versions] == ["1.0.1", "1.0.0"]
    yanked = await ann.post(f"{path}/versions/1.0.1/yank", json={"reason": "it is broken"})
    assert (yanked.status_code, yanked.json()["yank_reason"]) == (200, "it is broken")
    assert (await ben.get(path)).json()["version"] == "1.0.0"
    refused = await ben.get(path, params={"version": "1.0.1"})
    assert (refused.status_code, refused.json()["detail"]) == (409, "the version 1.0.1 was yanked: it is broken")
    for query in ({"digest": updated.json()["digest"]}, {"version": "1.0.1", "yanked": "true"}):
        got = await ben.get(path, params=query)
        assert (got.status_code, got.json()["yanked"], got.json()["data"]) == (200, True, flow("new"))
    assert (await ann.delete(f"{path}/versions/1.0.1/yank")).json()["yanked_at"] is None
    assert (await ann.patch(path, json=_body(version="1.0.0"))).status_code == 409
    assert (await ann.delete(path)).status_code == 204
    assert (await ben.get(path)).status_code == 404


async def test_a_credential_of_the_publisher_is_refused(
    ann: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """STORE-2: even one that no flow has used yet; the answer says where it stands, and nothing repeats it."""
    secret = "correct-horse-battery-staple"
    variable = {"name": "MINE", "value": secret, "type": "Credential", "default_fields": []}
    assert (await ann.post("/api/v1/variables/", json=variable)).status_code == 201
    answer = await ann.post(f"{STORE}/components/", json=_body(data=flow(f"say {secret}")))
    assert answer.status_code == 400
    assert answer.json()["detail"] == "a secret stands in data.nodes[0].data.node.template.prompt.value"
    assert secret not in answer.text + caplog.text


async def test_what_a_deleted_user_published_is_gone(clients: Clients, ann: httpx.AsyncClient) -> None:
    """ALL-4: with the likes that the user gave."""
    made = (await ann.post(f"{STORE}/components/", json=_body())).json()["id"]
    leaver = await _with_store_key(clients, "leaver")
    theirs = (await leaver.post(f"{STORE}/components/", json=_body("theirs"))).json()["id"]
    await leaver.put(f"{STORE}/users/likes/{made}")
    user_id = (await leaver.get("/api/v1/users/whoami")).json()["id"]
    assert (await (await clients.superuser()).delete(f"/api/v1/users/{user_id}")).status_code == 200
    assert (await ann.get(f"{STORE}/components/{theirs}")).status_code == 404
    results = (await ann.get(f"{STORE}/components/")).json()["results"]
    assert [(item["id"], item["liked_by_count"]) for item in results] == [(made, 0)]


class TestWithoutKeys:
    """STORE-1: a setting lets users in without a store key."""

    @pytest.fixture
    def container_settings(self, container_settings: dict[str, Any]) -> dict[str, Any]:
        return container_settings | {"store": {"require_key": False}}

    async def test_no_key_is_needed(self, as_user: httpx.AsyncClient) -> None:
        made = await as_user.post(f"{STORE}/components/", json=_body())
        assert made.status_code == 201
        assert (await as_user.get(f"{STORE}/components/{made.json()['id']}")).status_code == 200
        assert (await as_user.get(f"{STORE}/check/api_key")).json() == {"has_api_key": True, "is_valid": True}
        assert (await as_user.get(f"{STORE}/components/")).json()["authorized"] is True


class TestSwitchedOff:
    """STORE-1: a setting takes the store away."""

    @pytest.fixture
    def container_settings(self, container_settings: dict[str, Any]) -> dict[str, Any]:
        return container_settings | {"store": {"enabled": False}}

    async def test_every_route_says_so(self, as_user: httpx.AsyncClient) -> None:
        assert (await as_user.get(f"{STORE}/check/")).json() == {"enabled": False}
        for path in ("tags", "components/", "users/likes", "check/api_key", f"components/{uuid.uuid4()}"):
            answer = await as_user.get(f"{STORE}/{path}")
            assert (answer.status_code, answer.json()["detail"]) == (404, "the store is switched off"), path


class TestRemoteDown:
    """STORE-3: the store is another Bedplate, and nobody listens there."""

    @pytest.fixture
    def container_settings(self, container_settings: dict[str, Any], closed_port: int) -> dict[str, Any]:
        store = {"backend": "remote", "remote_url": f"http://127.0.0.1:{closed_port}", "remote_retry_delay": 0.0}
        return container_settings | {"store": store}

    @pytest.fixture
    def closed_port(self) -> Iterator[int]:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            yield unused.getsockname()[1]

    async def test_one_clear_error_and_the_local_catalogue_works(self, ann: httpx.AsyncClient) -> None:
        for path in ("components/", "tags", "users/likes", "check/api_key"):
            answer = await ann.get(f"{STORE}/{path}")
            assert answer.status_code == 503, path
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["type"] == "urn:bedplate:error:store_unavailable"
            assert "source=local" in answer.json()["detail"]
        local = {"source": "local"}
        made = await ann.post(f"{STORE}/components/", json=_body(), params=local)
        assert made.status_code == 201
        assert (await ann.get(f"{STORE}/components/{made.json()['id']}", params=local)).status_code == 200
        assert (await ann.get(f"{STORE}/components/", params=local)).json()["count"] == 1
        assert (await ann.get("/readyz")).status_code == 200


async def test_a_caller_that_keeps_keys_itself(as_user: httpx.AsyncClient) -> None:
    """STORE-3: another Bedplate says so in a header, and its users save no key here."""
    header = {"X-Store-Key": "kept-by-the-caller"}
    assert (await as_user.post(f"{STORE}/components/", json=_body())).status_code == 400
    assert (await as_user.post(f"{STORE}/components/", json=_body(), headers=header)).status_code == 201


async def test_answers_carry_a_validator(ann: httpx.AsyncClient) -> None:
    """STORE-3: whoever has an answer already gets a 304 while it holds; a download counts all the same."""
    id_ = (await ann.post(f"{STORE}/components/", json=_body())).json()["id"]
    for path in (f"{STORE}/components/{id_}", f"{STORE}/components/?fields=name"):
        first = await ann.get(path)
        again = await ann.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert first.headers["cache-control"] == "private, no-cache"
    assert (await ann.get(f"{STORE}/components/")).json()["results"][0]["downloads_count"] == 2


async def test_an_update_leaves_what_is_not_sent(ann: httpx.AsyncClient) -> None:
    """STORE-1."""
    id_ = (await ann.post(f"{STORE}/components/", json=_body())).json()["id"]
    assert (await ann.patch(f"{STORE}/components/{id_}", json={"name": "Renamed"})).status_code == 201
    (found,) = (await ann.get(f"{STORE}/components/")).json()["results"]
    assert (found["name"], found["description"], found["version"]) == ("Renamed", "d", "1.0.0")
    assert [tag["name"] for tag in found["tags"]] == ["Memory"]
