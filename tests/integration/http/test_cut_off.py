"""Uploads that end early, over real connections: nothing of them is kept, whenever the client hangs up."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from bedplate.wiring.testing.clients import Clients
from bedplate.wiring.testing.serving import serving

HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.json"\r\n\r\n'
BODY = HEAD + b'{"name": "x", "description": "' + b"x" * 300_000 + b'"}' + b"\r\n--b--\r\n"


class Watched:
    """An application that says what it has done with.

    Attributes:
        ended: The paths of the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.ended = asyncio.Queue[str]()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            self.ended.put_nowait(scope["path"])


@pytest.fixture
def watched(clients: Clients) -> Watched:
    return Watched(clients.app)


@pytest.fixture
def container_settings(container_settings: dict[str, Any]) -> dict[str, Any]:
    return container_settings | {"storage": {"chunk_bytes": 4096}}


@pytest.fixture
async def server(watched: Watched) -> AsyncIterator[httpx.URL]:
    async with serving(watched, lifespan=False) as url:
        yield httpx.URL(url)


def _kept(clients: Clients) -> list[str]:
    """Every file in the storage, parts of uploads included."""
    root: Path = clients.container.settings().values.data_dir / "files"
    return [path.name for path in root.rglob("*") if path.is_file()]


async def _begun(clients: Clients) -> None:
    """Wait until something of an upload is on the disk."""
    while not _kept(clients):  # noqa: ASYNC110 - a file tells nobody that it is there
        await asyncio.sleep(0)


def _request(client: httpx.AsyncClient, path: str, framing: str) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Authorization: {client.headers['authorization']}",
        "Content-Type: multipart/form-data; boundary=b",
        framing,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def _paths(client: httpx.AsyncClient) -> list[str]:
    flow = (await client.post("/api/v1/flows/", json={"name": "flow"})).json()["id"]
    return [f"/api/v1/files/upload/{flow}", "/api/v2/files", "/api/v1/flows/upload/", "/api/v1/projects/upload/"]


async def _lists(client: httpx.AsyncClient) -> list[str]:
    return [(await client.get(path)).text for path in ("/api/v1/flows/", "/api/v1/projects/", "/api/v2/files")]


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
@pytest.mark.parametrize("sent", [0, 30, len(HEAD) + 20, 200_000, len(BODY) - 3], ids=str)
@pytest.mark.timeout(60)
async def test_who_hangs_up_leaves_nothing(
    sent: int, chunked: bool, server: httpx.URL, watched: Watched, as_user: httpx.AsyncClient, clients: Clients
) -> None:
    """STO-1: in the head of the part, in its content, just before its end; on every route that takes a file."""
    paths = await _paths(as_user)
    before = await _lists(as_user)
    for path in paths:
        _, writer = await asyncio.open_connection(server.host, server.port)
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(BODY)}"
        part = BODY[:sent]
        writer.write(_request(as_user, path, framing) + (_chunk(part) if chunked and part else part))
        await writer.drain()
        if sent > len(HEAD) + 100 and "files" in path:
            await _begun(clients)
        writer.close()
        assert await watched.ended.get() == path
        assert _kept(clients) == []
    assert await _lists(as_user) == before


async def test_a_body_that_says_it_is_complete_and_is_not_is_refused(
    server: httpx.URL, as_user: httpx.AsyncClient, clients: Clients
) -> None:
    """STO-1: the connection stays good, the client gets its answer, and nothing is kept."""
    paths = await _paths(as_user)
    before = await _lists(as_user)
    async with httpx.AsyncClient(base_url=server, headers=as_user.headers) as client:
        for path in paths:
            for body in (BODY[:200_000], BODY[:-3], BODY[:-9]):
                headers = {"Content-Type": "multipart/form-data; boundary=b"}
                answer = await client.post(path, content=body, headers=headers)
                assert (answer.status_code, answer.json()["status"]) == (400, 400), answer.text
                assert "ends early" in answer.json()["detail"]
                assert _kept(clients) == []
    assert await _lists(as_user) == before


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
@pytest.mark.parametrize("sent", [0, 1, 200_000], ids=str)
@pytest.mark.timeout(60)
async def test_who_hangs_up_while_saving_by_a_link_leaves_nothing(
    sent: int, chunked: bool, server: httpx.URL, watched: Watched, as_user: httpx.AsyncClient, clients: Clients
) -> None:
    """STO-3: no half of a file is saved, and the one that was there stays."""
    flow = (await as_user.post("/api/v1/flows/", json={"name": "flow"})).json()["id"]
    wanted = as_user.post(f"/api/v1/files/link/{flow}/a.bin", json={"method": "PUT"})
    link = (await wanted).json()["url"]
    framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: 300000"
    for kept in ([], ["a.bin"]):
        if kept:
            assert (await as_user.put(link, content=b"old")).status_code == 200
        _, writer = await asyncio.open_connection(server.host, server.port)
        part = b"x" * sent
        writer.write(f"PUT {link} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n".encode())
        writer.write(_chunk(part) if chunked and part else part)
        await writer.drain()
        if sent > 4096 and not kept:
            await _begun(clients)
        writer.close()
        assert await watched.ended.get() == "/api/v1/files/signed"
        assert _kept(clients) == kept
    assert (await as_user.get(f"/api/v1/files/download/{flow}/a.bin")).content == b"old"
