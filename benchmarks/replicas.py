"""What a second replica adds, where both share the processors of one machine with the database and the clients."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from tests.servers.replicas import Replica, replicas, shared_environment, signed_in

from bedplate.wiring.testing.servers.postgres import new_database, postgres
from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import temporary_folder

__all__ = ["rows"]

_SECONDS = 2.0
_CONNECTIONS = 16
_PATH = "/api/v1/users/whoami"


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """``whoami`` over PostgreSQL, from one replica and from two; and the share of the processors that one leaves."""
    with temporary_folder() as name, postgres(Path(name)) as server:
        environment = shared_environment(database=new_database(server), TELEMETRY__LOG_LEVEL="error")
        with replicas(Path(name), 2, environment) as both:
            token = signed_in(both[0].url, "ada")["Authorization"]
            yield ratio(
                "whoami over PostgreSQL from two replicas",
                lambda: _rate(both, token),
                lambda: _rate(both[:1], token),
                against="one replica, the same clients and database, on the same processors",
                unit="requests/s",
                aim=Aim("≥", 1.7),
                runner=runner,
                rounds=9,
            )
            yield ratio(
                "processor time that all of it takes with one replica",
                lambda: _busy(both[:1], token),
                lambda: float(psutil.cpu_count() or 1),
                against="the processors of the machine: what is left is all that a second replica can have",
                unit="processors",
                aim=None,
                runner=runner,
                rounds=5,
            )


async def _rate(over: Sequence[Replica], token: str) -> float:
    """Requests a second."""
    until = time.perf_counter() + _SECONDS
    counts = await asyncio.gather(*(_client(over[n % len(over)].url, token, until) for n in range(_CONNECTIONS)))
    return sum(counts) / _SECONDS


async def _client(url: str, token: str, until: float) -> int:
    """One connection that sends a request as soon as it has the answer to the one before."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    reader, writer = await asyncio.open_connection(host, port)
    request = f"GET {_PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n\r\n".encode()
    count = 0
    while time.perf_counter() < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        count += 1
    writer.close()
    await writer.wait_closed()
    return count


async def _busy(over: Sequence[Replica], token: str) -> float:
    """Processors that are busy on average."""
    before = psutil.cpu_times()
    await _rate(over, token)
    after = psutil.cpu_times()
    return ((sum(after) - after.idle - after.iowait) - (sum(before) - before.idle - before.iowait)) / _SECONDS
