"""Variables over HTTP, as existing clients use them."""

from typing import Any

import httpx
import pytest

from bedplate.services.auth import User
from bedplate.wiring.testing.clients import Clients

NOBODY = "00000000-0000-0000-0000-000000000000"
URL = "/api/v1/variables/"


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
