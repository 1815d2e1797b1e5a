"""The limit of a body, and the headers of every answer."""

from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp

from bedplate.wiring.http.middleware import BodyLimitMiddleware, SecurityHeadersMiddleware


def _app() -> FastAPI:
    app = FastAPI()

    @app.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    return app


def _client(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def _chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 100


async def test_body_within_the_limit_passes() -> None:
    async with _client(BodyLimitMiddleware(_app(), limit_of=lambda _: 1000)) as client:
        assert (await client.post("/size", content=b"x" * 1000)).json() == 1000
        assert (await client.post("/size", content=_chunks(10))).json() == 1000


async def test_declared_length_over_the_limit_is_refused_unread() -> None:
    async with _client(BodyLimitMiddleware(_app(), limit_of=lambda _: 1024 * 1024)) as client:
        answer = await client.post("/size", content=b"x" * (1024 * 1024 + 128_000))
    assert answer.status_code == 413
    assert answer.json()["detail"] == "Content size limit exceeded. Maximum allowed is 1MB and got 1.122MB."
    assert answer.json()["status"] == 413


async def test_streamed_body_is_refused_when_it_passes_the_limit() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 100

    async with _client(BodyLimitMiddleware(_app(), limit_of=lambda _: 950)) as client:
        answer = await client.post("/size", content=endless())
    assert answer.status_code == 413
    assert sent < 1000


async def test_limit_may_differ_by_path() -> None:
    limits = {"/size": 10}
    async with _client(BodyLimitMiddleware(_app(), limit_of=lambda path: limits.get(path, 1000))) as client:
        assert (await client.post("/size", content=b"x" * 11)).status_code == 413
        assert (await client.post("/other", content=b"x" * 11)).status_code == 404


async def test_headers_are_added_but_never_replaced() -> None:
    app = _app()

    @app.get("/plain")
    async def plain() -> None: ...

    @app.get("/own")
    async def own(response: Response) -> None:
        response.headers["X-Frame-Options"] = "SAMEORIGIN"

    async with _client(SecurityHeadersMiddleware(app, {"X-Frame-Options": "DENY"})) as client:
        assert (await client.get("/plain")).headers["x-frame-options"] == "DENY"
        assert (await client.get("/own")).headers["x-frame-options"] == "SAMEORIGIN"
