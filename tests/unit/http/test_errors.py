"""Errors as answers."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from bedplate.services import errors
from bedplate.wiring.http.errors import install_error_handlers, title_of


class Body(BaseModel):
    password: int


def _client(error: Exception | None = None) -> httpx.AsyncClient:
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/fail")
    async def fail() -> None:
        assert error is not None
        raise error

    @app.post("/body")
    async def body(sent: Body) -> Body:
        return sent

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInputError("no"), 400),
        (errors.TooLargeError("no"), 413),
        (errors.AuthenticationError("no"), 401),
        (errors.PermissionDeniedError("no"), 403),
        (errors.NotFoundError("no"), 404),
        (errors.ConflictError("no"), 409),
        (errors.RateLimitedError("no", retry_after=7), 429),
        (errors.UnavailableError("no"), 503),
    ],
)
async def test_kind_of_error_decides_the_status(error: errors.BedplateError, status: int) -> None:
    """ALL-3: typed errors become problem details (RFC 9457)."""
    async with _client(error) as client:
        answer = await client.get("/fail")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert body["detail"] == "no"
    assert body["type"] == f"urn:bedplate:error:{error.code}"
    assert (body["status"], body["instance"]) == (status, "/fail")


async def test_unauthenticated_is_challenged_and_unavailable_says_when() -> None:
    async with _client(errors.AuthenticationError("no")) as client:
        assert (await client.get("/fail")).headers["www-authenticate"] == "Bearer"
    async with _client(errors.UnavailableError("no")) as client:
        assert int((await client.get("/fail")).headers["retry-after"]) >= 1
    async with _client(errors.RateLimitedError("no", retry_after=7.2)) as client:
        assert (await client.get("/fail")).headers["retry-after"] == "8"


@pytest.mark.parametrize(
    "error", [RuntimeError("postgres://me:hunter2@db"), errors.CorruptDataError("row 7 of /var/lib/x")]
)
async def test_faults_of_the_server_tell_nothing(error: Exception) -> None:
    """ALL-3: no error text carries a secret, a path or a traceback."""
    async with _client(error) as client:
        answer = await client.get("/fail")
    assert answer.status_code == 500
    assert answer.json()["detail"] == "Internal server error"
    assert "hunter2" not in answer.text
    assert "/var" not in answer.text


async def test_invalid_body_is_a_list_without_the_values_sent() -> None:
    async with _client() as client:
        answer = await client.post("/body", json={"password": "hunter2"})
        malformed = await client.post("/body", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == malformed.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "password"]
    assert "hunter2" not in answer.text
    assert malformed.json()["detail"][0]["type"] == "json_invalid"


async def test_unknown_path_has_the_same_shape() -> None:
    async with _client() as client:
        answer = await client.get("/nowhere")
    assert answer.status_code == 404
    assert answer.json() == {
        "detail": "Not Found",
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "instance": "/nowhere",
    }


def test_titles_are_those_of_rfc_9110() -> None:
    """On every Python: those before 3.13 have the names of its forerunners."""
    titles = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}
    assert {status: title_of(status) for status in titles} == titles
    assert (title_of(404), title_of(499), title_of(599)) == ("Not Found", "Bad Request", "Internal Server Error")
