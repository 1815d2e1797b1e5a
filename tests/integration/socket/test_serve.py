"""Socket.IO of ``bedplate serve``, in a process of its own: told before it stops, and rid of who never reads."""

import asyncio
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.socket.conftest import PATIENCE, Client

PASSWORD = "correct horse battery"


class Served:
    """A server, and the token of its superuser."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, token: str) -> None:
        self.process = process
        self.url = url
        self.token = token


@pytest.fixture
async def served(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    import httpx

    environment = {
        "BEDPLATE_PROFILE": "test",
        "BEDPLATE_DATA_DIR": str(tmp_path / "data"),
        "BEDPLATE_SERVER__PORT": "0",
        "BEDPLATE_AUTH__SUPERUSER": "root",
        "BEDPLATE_AUTH__SUPERUSER_PASSWORD": PASSWORD,
        **getattr(request, "param", {}),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bedplate", "serve"), stdout=asyncio.subprocess.PIPE, env=environment, cwd=tmp_path
    )
    assert process.stdout is not None
    try:
        printed = ""
        async with asyncio.timeout(PATIENCE):
            while not (found := re.search(r"^Address: (http://\S+)$", printed, re.MULTILINE)):
                line = await process.stdout.readline()
                assert line, printed
                printed += line.decode()
        async with httpx.AsyncClient(base_url=found[1]) as http:
            answer = await http.post("/api/v1/login", data={"username": "root", "password": PASSWORD})
        yield Served(process, found[1], answer.json()["access_token"])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_clients_are_told_before_the_server_stops(served: Served, transport: str) -> None:
    """SOCK-2: with a reason and when to come back, where the HTTP server alone would just hang up; and it ends well."""
    client = await Client(served.url, transport).connect({"token": served.token})
    served.process.send_signal(signal.SIGTERM)
    closing = await client.until("closing")
    assert (closing["code"], closing["retry_after"] >= 1) == ("draining", True)
    await client.until_disconnected()
    async with asyncio.timeout(PATIENCE):
        assert await served.process.wait() == 0
    await client.close()


@pytest.mark.parametrize("served", [{"BEDPLATE_SERVER__DRAIN_DELAY": "3600"}], indirect=True)
async def test_whoever_is_in_a_hurry_asks_twice(served: Served) -> None:
    """JOB-3: a server that is about to stop serves on for as long as it is told to, unless it gets Ctrl-C on top."""
    import httpx

    async with httpx.AsyncClient(base_url=served.url, headers={"Authorization": f"Bearer {served.token}"}) as http:
        assert (await http.get("/readyz")).status_code == 200
        served.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            while (answer := await http.get("/readyz")).status_code == 200:
                pass
        assert (answer.status_code, answer.json()) == (503, {"status": "draining"})
        answer = await http.get("/api/v1/users/whoami")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    served.process.send_signal(signal.SIGINT)
    async with asyncio.timeout(PATIENCE):
        assert await served.process.wait() == 0


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system cannot do that")
@pytest.mark.parametrize(
    "served",
    [{"BEDPLATE_SERVER__SEND_TIMEOUT": "1", "BEDPLATE_SOCKET__SEND_TIMEOUT": "1"}],
    indirect=True,
)
async def test_a_connection_that_is_never_read_is_cut_off(served: Served) -> None:
    """SOCK-2: the kernel keeps what was written for a client that is there and reads nothing, unless told not to."""
    host, _, port = served.url.removeprefix("http://").partition(":")
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(peer, (host, int(port)))
        # Answers of some size, more of them than any buffer holds.
        request = f"GET /openapi.json HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    await loop.sock_sendall(peer, request)
