"""Uploads that end early, over real connections: nothing of them is kept, whenever the client hangs up."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from bedplate.wiring.testing.clients import Clients

HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.json"\r\n\r\n'
BODY = HEAD + b'{"name": "x", "description": "' + b"x" * 300_000 + b'"}' + b"\r\n--b--\r\n"


class Server(uvicorn.Server):
    """The application of a test behind a real server, in the test's own loop.

    Attributes:
        ended: The paths of the requests that it has done with.
        port: Where it listens.
    """

    def __init__(self, clients: Clients) -> None:
        super().__init__(uvicorn.Config(self._answer, interface="asgi3", lifespan="off", log_config=None))
        self.ended = asyncio.Queue[str]()
        self.port = 0
        self._clients = clients

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._clients.app(scope, receive, send)
        finally:
            self.ended.put_nowait(scope["path"])

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the test runner."""
        yield

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve within the block."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.serve([listener]))
                try:
                    yield
                finally:
                    self.should_exit = True


@pytest.fixture
def container_settings(container_settings: dict[str, Any]) -> dict[str, Any]:
    return container_settings | {"storage": {"chunk_bytes": 4096}}


@pytest.fixture
async def server(clients: Clients) -> AsyncIterator[Server]:
    server = Server(clients)
    async with server.serving():
        yield server


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
    sent: int, chunked: bool, server: Server, as_user: httpx.AsyncClient, clients: Clients
) -> None:
    """STO-1: in the head of the part, in its content, just before its end; on every route that takes a file."""
    paths = await _paths(as_user)
    before = await _lists(as_user)
    for path in paths:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(BODY)}"
        part = BODY[:sent]
        writer.write(_request(as_user, path, framing) + (_chunk(part) if chunked and part else part))
        await writer.drain()
        if sent > len(HEAD) + 100 and "files" in path:
            await _begun(clients)
        writer.close()
        assert await server.ended.get() == path
        assert _kept(clients) == []
    assert await _lists(as_user) == before


async def test_a_body_that_says_it_is_complete_and_is_not_is_refused(
    server: Server, as_user: httpx.AsyncClient, clients: Clients
) -> None:
    """STO-1: the connection stays good, the client gets its answer, and nothing is kept."""
    paths = await _paths(as_user)
    before = await _lists(as_user)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", headers=as_user.headers) as client:
        for path in paths:
            for body in (BODY[:200_000], BODY[:-3], BODY[:-9]):
                headers = {"Content-Type": "multipart/form-data; boundary=b"}
                answer = await client.post(path, content=body, headers=headers)
                assert (answer.status_code, answer.json()["status"]) == (400, 400), answer.text
                assert "ends early" in answer.json()["detail"]
                assert _kept(clients) == []
    assert await _lists(as_user) == before
