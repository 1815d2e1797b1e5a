"""Requests a second over HTTP, each server a process of its own."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import temporary_folder

__all__ = ["rows"]

_ROOT = Path(__file__).parent.parent
_CONNECTIONS = 4
_REQUESTS = 250
_PATIENCE = 60.0


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """``/health`` of Bedplate and of a minimal application, by clients that keep their connections."""
    with temporary_folder() as folder:
        ours, peer = _free_port(), _free_port()
        settings = {"BEDPLATE_DATA_DIR": str(folder), "BEDPLATE_SERVER__PORT": str(ours)}
        settings |= {"BEDPLATE_TELEMETRY__LOG_LEVEL": "error"}
        url = f"sqlite+aiosqlite:///{folder}/minimal.db"
        with (
            _process(["-m", "bedplate", "serve"], ours, settings),
            _process(["-m", "benchmarks.peers.serve_minimal", url, str(peer)], peer, {}),
        ):
            yield ratio(
                "/health over HTTP",
                lambda: _rate(ours),
                lambda: _rate(peer),
                against="minimal FastAPI + SQLModel application",
                unit="requests/s",
                aim=Aim("≥", 0.8),
                runner=runner,
            )


async def _rate(port: int) -> float:
    begun = time.perf_counter()
    await asyncio.gather(*(_requests(port) for _ in range(_CONNECTIONS)))
    return _CONNECTIONS * _REQUESTS / (time.perf_counter() - begun)


async def _requests(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    for _ in range(_REQUESTS):
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    writer.close()
    await writer.wait_closed()


@contextmanager
def _process(arguments: Sequence[str], port: int, settings: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=_ROOT,
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(process, port)
        yield
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
