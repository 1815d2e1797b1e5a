"""Events of a job, from the work in one process to a reader in another, through a stream of Valkey."""

import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from bedplate.services.job_queue import JobLog, JobQueueService
from bedplate.wiring.testing.servers.valkey import valkey
from benchmarks.harness import Aim, Row, absolute
from benchmarks.services import container_in, run_in, temporary_folder

__all__ = ["rows"]

_EVENTS = 30_000
_BURST = 20
_RATE = 1_000
_SECONDS = 5
_DATA = {"chunk": "a few words", "id": "3f0c4d2e-7b1a-4c58-9d57-2a6c1f0e9b11"}


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """How many events a second a reader gets, and how late each is."""
    with (
        temporary_folder() as server,
        valkey(Path(server)) as url,
        temporary_folder() as folder,
        run_in(runner, folder, "job_queue", "auth", **_settings(url)) as container,
    ):
        user = runner.run(container.auth().create_superuser("ada", "a password of ada")).id
        jobs = container.job_queue()
        _freeze()
        yield absolute(
            "job events a second to a reader in another process, Redis",
            lambda: _throughput(jobs, user, folder, url),
            unit="events/s",
            aim=Aim("≥", 5_000),
            runner=runner,
            rounds=7,
        )
        yield absolute(
            "job event to a reader in another process at 1,000 a second, 99th percentile, Redis",
            lambda: _lateness(jobs, user, folder, url, 0.99),
            unit="ms",
            aim=Aim("≤", 25.0),
            runner=runner,
            rounds=5,
        )
        gc.unfreeze()


def _freeze() -> None:
    """As the lifespan of an app does: else what is measured is the collector, on the heap of the start."""
    gc.collect()
    gc.freeze()


def _settings(url: str) -> dict[str, Any]:
    return {
        "redis": {"url": url},
        "job_queue": {"backend": "redis", "max_events": 10**6, "max_log_bytes": 2**28, "max_memory_bytes": 2**30},
    }


async def _throughput(jobs: JobQueueService, user: UUID, folder: str, url: str) -> float:
    """Events a second, from the first that comes to the last."""
    async with _begun_elsewhere("burst", user, folder, url) as job_id, aclosing(jobs.events(user, job_id)) as events:
        await anext(events)
        begun, read = time.perf_counter(), 0
        async for _ in events:
            read += 1
        assert read == _EVENTS
        return read / (time.perf_counter() - begun)


async def _lateness(jobs: JobQueueService, user: UUID, folder: str, url: str, share: float) -> float:
    """Milliseconds from its append by which this share of the events have been read."""
    async with _begun_elsewhere("steady", user, folder, url) as job_id, aclosing(jobs.events(user, job_id)) as events:
        late = [time.time() - event.time async for event in events if event.type == "token"]
    assert len(late) == _RATE * _SECONDS
    return sorted(late)[int(len(late) * share)] * 1e3


@asynccontextmanager
async def _begun_elsewhere(how: str, user: UUID, folder: str, url: str) -> AsyncIterator[UUID]:
    """A job of another process, which begins to write when this one has begun to read."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "benchmarks.job_streams", how, str(user), folder, url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    job_id = UUID((await process.stdout.readline()).decode().strip())
    asyncio.get_running_loop().call_later(0.2, process.stdin.write, b"\n")
    try:
        yield job_id
    finally:
        process.stdin.close()
        await process.wait()


async def _write(how: str, user: UUID, folder: str, url: str) -> None:
    async with container_in(folder, "job_queue", "auth", **_settings(url)) as container:
        go = asyncio.Event()

        async def work(log: JobLog) -> None:
            await go.wait()
            await (_burst(log) if how == "burst" else _steady(log))

        _freeze()
        job = await container.job_queue().submit(user, work)
        print(job.id, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        go.set()
        await asyncio.to_thread(sys.stdin.read)


async def _burst(log: JobLog) -> None:
    for number in range(_EVENTS):
        log.append("token", _DATA)
        if number % _BURST == 0:
            await asyncio.sleep(0)


async def _steady(log: JobLog) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for number in range(_RATE * _SECONDS):
        await asyncio.sleep(max(0.0, begun + number / _RATE - loop.time()))
        log.append("token", _DATA)


if __name__ == "__main__":
    asyncio.run(_write(sys.argv[1], UUID(sys.argv[2]), *sys.argv[3:]))
