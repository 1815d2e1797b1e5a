"""Variables over HTTP, as existing clients use them."""

from typing import Any

import httpx
import pytest
from tests.servers.fake_kubernetes import FakeKubernetes

from bedplate.services.auth import User
from bedplate.wiring.testing.clients import Clients

NOBODY = "00000000-0000-0000-0000-000000000000"
URL = "/api/v1/variables/"


@pytest.fixture(params=["database", "kubernetes"])
def container_settings(
    container_settings: dict[str, Any], kubernetes_api: FakeKubernetes, request: pytest.FixtureRequest
) -> dict[str, Any]:
    """VAR-5: every route works on either backend."""
    return container_settings | {
        "variable": {"backend": request.param, "kubernetes_kubeconfig": kubernetes_api.kubeconfig()}
    }


async def _create(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.post(URL, json={"name": "x", "value": "secret", "default_fields": []} | fields)


async def test_a_credential_is_never_answered(as_user: httpx.AsyncClient) -> None:
    """VAR-1: the value of a Credential is null in every answer; it is the type that is meant if none is sent."""
    for fields in ({"name": "a"}, {"name": "b", "type": "Credential"}):
        made = await _create(as_user, **fields)
        assert (made.status_code, made.json()["type"], made.json()["value"]) == (201, "Credential", None)
        body = {"id": made.json()["id"], "value": "another secret"}
        changed = await as_user.patch(URL + made.json()["id"], json=body)
        assert (changed.status_code, changed.json()["value"]) == (200, None)
    listed = await as_user.get(URL)
    assert [variable["value"] for variable in listed.json()] == [None, None]
    assert "secret" not in listed.text


async def test_the_value_of_a_generic_variable_is_answered(as_user: httpx.AsyncClient) -> None:
    """VAR-1: as it was given, and never as ciphertext."""
    made = (await _create(as_user, type="Generic", value="v", default_fields=["url"])).json()
    assert {name: made[name] for name in ("name", "type", "value", "default_fields")} == {
        "name": "x",
        "type": "Generic",
        "value": "v",
        "default_fields": ["url"],
    }
    assert (await as_user.get(URL)).json() == [made]
    changed = await as_user.patch(URL + made["id"], json={"id": made["id"], "value": "w"})
    assert changed.json() == made | {"value": "w"}


async def test_a_patch_changes_what_is_sent(as_user: httpx.AsyncClient, clients: Clients, user: User) -> None:
    """VAR-1: a rename keeps the value."""
    made = (await _create(as_user)).json()
    renamed = await as_user.patch(URL + made["id"], json={"id": made["id"], "name": "y"})
    assert renamed.json() == made | {"name": "y"}
    assert (await clients.container.variable().resolve(user.id, "y")).get_secret_value() == "secret"


async def test_an_id_of_another_variable_in_the_body_is_a_400(as_user: httpx.AsyncClient) -> None:
    one, other = (await _create(as_user)).json(), (await _create(as_user, name="y")).json()
    refused = await as_user.patch(URL + one["id"], json={"id": other["id"], "name": "z"})
    assert refused.status_code == 400
    assert (await as_user.patch(URL + one["id"], json={"name": "z"})).status_code == 422
    assert [variable["name"] for variable in (await as_user.get(URL)).json()] == ["x", "y"]


async def test_a_taken_name_is_a_400(as_user: httpx.AsyncClient) -> None:
    one, other = (await _create(as_user)).json(), (await _create(as_user, name="y")).json()
    assert (await _create(as_user)).status_code == 400
    taken = await as_user.patch(URL + other["id"], json={"id": other["id"], "name": one["name"]})
    assert taken.status_code == 400
    assert len((await as_user.get(URL)).json()) == 2


@pytest.mark.parametrize("fields", [{"name": ""}, {"value": ""}, {"type": "Secret"}])
async def test_an_empty_name_or_value_and_an_unknown_type_are_a_400(
    as_user: httpx.AsyncClient, fields: dict[str, str]
) -> None:
    assert (await _create(as_user, **fields)).status_code == 400
    assert (await as_user.get(URL)).json() == []


async def test_what_is_not_there_is_a_404(as_user: httpx.AsyncClient) -> None:
    assert (await as_user.delete(URL + NOBODY)).status_code == 404
    assert (await as_user.patch(URL + NOBODY, json={"id": NOBODY, "name": "x"})).status_code == 404
    made = (await _create(as_user)).json()
    gone = await as_user.delete(URL + made["id"])
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await as_user.delete(URL + made["id"])).status_code == 404


async def test_earlier_values_are_listed_and_restored(as_user: httpx.AsyncClient) -> None:
    """VAR-4: each answer has the version as its ETag, and If-Match makes sure of it."""
    made = await _create(as_user, type="Generic", value="one")
    url = URL + made.json()["id"]
    assert made.headers["etag"] == '"1"'
    body = {"id": made.json()["id"], "value": "two"}
    changed = await as_user.patch(url, json=body, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    late = await as_user.patch(url, json=body | {"value": "three"}, headers={"If-Match": '"1"'})
    assert (late.status_code, late.json()["type"]) == (412, "urn:bedplate:error:variable_changed")
    versions = (await as_user.get(f"{url}/versions")).json()
    assert [(one["version"], one["value"], one["current"]) for one in versions] == [(2, "two", True), (1, "one", False)]
    late = await as_user.post(f"{url}/versions/1/restore", headers={"If-Match": '"1"'})
    assert late.status_code == 412
    restored = await as_user.post(f"{url}/versions/1/restore", headers={"If-Match": "*"})
    assert (restored.status_code, restored.json()["value"], restored.headers["etag"]) == (200, "one", '"3"')


async def test_a_credential_is_revealed_when_its_owner_asks(clients: Clients, as_user: httpx.AsyncClient) -> None:
    """VAR-4: and the audit log has it, with the address, and without the value."""
    made = await _create(as_user)
    url = URL + made.json()["id"]
    await as_user.patch(url, json={"id": made.json()["id"], "value": "another secret"})
    revealed = await as_user.post(f"{url}/reveal")
    assert (revealed.status_code, revealed.json()) == (200, {"version": 2, "value": "another secret"})
    assert revealed.headers["cache-control"] == "no-store"
    assert (await as_user.post(f"{url}/reveal", json={"version": 1})).json()["value"] == "secret"
    assert (await as_user.post(f"{url}/reveal", json={"version": 9})).status_code == 404
    superuser = await clients.superuser()
    events = (await superuser.get("/api/v1/auth/audit", params={"kind": "variable_revealed"})).json()["events"]
    assert [event["details"]["version"] for event in events] == [1, 2]
    assert events[0]["target_id"] == made.json()["id"]
    assert events[0]["address"]
    assert "secret" not in str(events)


async def test_a_key_for_variables_reveals_nothing(clients: Clients, user: User, as_user: httpx.AsyncClient) -> None:
    """VAR-4, AUTH-4: what lets flows set variables does not let them read what others have put in."""
    url = URL + (await _create(as_user)).json()["id"]
    key = await clients.container.auth().api_keys.create(user.id, scopes=["variables:write"])
    client = await clients.anonymous()
    client.headers["x-api-key"] = key.secret.get_secret_value()
    assert (await client.get(f"{url}/versions")).status_code == 200
    assert (await client.post(f"{url}/reveal")).status_code == 403


@pytest.mark.parametrize(
    "if_match", ["", "x", '"x"', "W/1", '"-1"', '"1", "2"', '"99999999999"', "\u00b2".encode("latin-1")]
)
async def test_an_if_match_that_is_no_etag_is_refused(as_user: httpx.AsyncClient, if_match: Any) -> None:
    """VAR-4: and changes nothing."""
    made = await _create(as_user, type="Generic", value="one")
    url = URL + made.json()["id"]
    headers = {"If-Match": if_match}
    answer = await as_user.patch(url, json={"id": made.json()["id"], "value": "two"}, headers=headers)
    assert answer.status_code == 400, answer.text
    assert (await as_user.post(f"{url}/versions/1/restore", headers=headers)).status_code == 400
    assert [one["version"] for one in (await as_user.get(f"{url}/versions")).json()] == [1]


@pytest.mark.parametrize("version", ["0", "-1", "x", "99999999999", "1.5"])
async def test_versions_that_are_none_are_a_422(as_user: httpx.AsyncClient, version: str) -> None:
    """VAR-4"""
    url = URL + (await _create(as_user)).json()["id"]
    assert (await as_user.post(f"{url}/versions/{version}/restore")).status_code == 422
    assert (await as_user.post(f"{url}/reveal", json={"version": version})).status_code == 422
    assert (await as_user.post(f"{url}/versions/7/restore")).status_code == 404
