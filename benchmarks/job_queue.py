"""Events of a job, from the work that appends them to one reader."""

import asyncio
import gc
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aiosqlite
import msgspec

from bedplate.services.auth import User
from bedplate.services.job_queue import JobLog, JobQueueService
from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_EVENTS = 20_000
_BURST = 20
_GROUP = 200
_JOBS = 10_000
_DATA = {"chunk": "a few words", "id": "3f0c4d2e-7b1a-4c58-9d57-2a6c1f0e9b11"}


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """The log in memory against a queue, and the log with its archive against writing in batches."""
    with temporary_folder() as folder:
        never = {"job_queue": {"commit_interval": 600.0, "commit_events": 10**6, "max_events": 10**6}}
        with run_in(runner, folder, "job_queue", "auth", **never) as container:
            user, jobs = runner.run(container.auth().create_superuser("ada", "a password")), container.job_queue()
            yield ratio(
                "job event to one reader, memory log",
                lambda: _through_log(jobs, user, durable=False),
                _through_queue,
                against="asyncio.Queue",
                unit="µs",
                aim=Aim("≤", 4.0),
                runner=runner,
            )
    with temporary_folder() as folder:
        always = {"job_queue": {"max_events": 10**6}}
        with run_in(runner, folder, "job_queue", "auth", **always) as container:
            user, jobs = runner.run(container.auth().create_superuser("ada", "a password")), container.job_queue()
            yield ratio(
                "job event to one reader, durable",
                lambda: _through_log(jobs, user, durable=True),
                lambda: _by_executemany(Path(folder) / "peer.db"),
                against=f"executemany of {_GROUP} rows a transaction",
                unit="µs",
                aim=Aim("≤", 2.0),
                runner=runner,
                rounds=9,
            )
    yield from _cancelled_jobs(runner)


def _cancelled_jobs(runner: asyncio.Runner) -> Iterator[Row]:
    """Many jobs at once, each started, cancelled, and durable from its beginning to its end."""
    many = {"job_queue": {"max_jobs": 2 * _JOBS, "max_running": 2 * _JOBS, "keep_finished": 0.0}}
    with temporary_folder() as folder, run_in(runner, folder, "job_queue", "auth", **many) as container:
        user, jobs = runner.run(container.auth().create_superuser("ada", "a password")), container.job_queue()
        gc.collect()
        gc.freeze()  # as the lifespan of an app does: else both sides pay for the heap of the app
        yield ratio(
            "10,000 jobs started and cancelled, stored",
            lambda: _start_and_cancel_jobs(jobs, user),
            lambda: _start_and_cancel_tasks(Path(folder) / "peer.db"),
            against="bare tasks, with the same rows by executemany: job, event, end of job",
            unit="µs",
            aim=Aim("≤", 2.5),
            runner=runner,
            rounds=7,
        )
        yield ratio(
            "10,000 jobs started and cancelled, beside bare tasks that store nothing",
            lambda: _start_and_cancel_jobs(jobs, user),
            lambda: _start_and_cancel_tasks(None),
            against="bare tasks",
            unit="µs",
            aim=None,
            runner=runner,
            rounds=7,
        )
        gc.unfreeze()


async def _through_log(jobs: JobQueueService, user: User, *, durable: bool) -> float:
    """Microseconds an event from append to reader; durable: until all are in the database."""
    begun = 0.0

    async def work(log: JobLog) -> None:
        nonlocal begun
        begun = time.perf_counter()
        for number in range(_EVENTS):
            log.append("token", _DATA)
            if number % _BURST == 0:
                await asyncio.sleep(0)

    job = await jobs.submit(user.id, work)
    read = 0
    async for event in jobs.events(user.id, job.id):
        read += 1
        if event.terminal or (read == _EVENTS and not durable):
            break
    elapsed = time.perf_counter() - begun
    await jobs.poll(user.id, job.id, after=_EVENTS)
    return elapsed / _EVENTS * 1e6


async def _through_queue() -> float:
    queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def work() -> None:
        for number in range(_EVENTS):
            queue.put_nowait(_DATA)
            if number % _BURST == 0:
                await asyncio.sleep(0)

    begun = time.perf_counter()
    task = asyncio.create_task(work())
    for _ in range(_EVENTS):
        await queue.get()
    elapsed = time.perf_counter() - begun
    await task
    return elapsed / _EVENTS * 1e6


async def _by_executemany(path: Path) -> float:
    """Microseconds an event for encoding and writing rows like those of the archive, in groups."""
    job = uuid.uuid4().hex
    encode = msgspec.json.Encoder().encode
    async with aiosqlite.connect(path) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=NORMAL")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS event"
            " (job TEXT, seq INTEGER, type TEXT, data TEXT, at TEXT, PRIMARY KEY (job, seq))"
        )
        begun = time.perf_counter()
        group: list[Sequence[Any]] = []
        for number in range(_EVENTS):
            group.append((job, number, "token", encode(_DATA).decode(), "2026-01-01 00:00:00.000000"))
            if len(group) == _GROUP:
                await connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?)", group)
                await connection.commit()
                group.clear()
        elapsed = time.perf_counter() - begun
    return elapsed / _EVENTS * 1e6


async def _start_and_cancel_jobs(jobs: JobQueueService, user: User) -> float:
    """Microseconds a job, from its submission to the confirmation that it is cancelled and stored."""

    async def work(_log: JobLog) -> None:
        await asyncio.Event().wait()

    begun = time.perf_counter()
    started = await asyncio.gather(*(jobs.submit(user.id, work) for _ in range(_JOBS)))
    ended = await asyncio.gather(*(jobs.cancel(user.id, job.id) for job in started))
    elapsed = time.perf_counter() - begun
    assert all(job.status == "cancelled" for job in ended)
    return elapsed / _JOBS * 1e6


async def _start_and_cancel_tasks(path: Path | None) -> float:
    """Microseconds a task; with a database, its row is there before it starts and its end before it counts as ended."""
    begun = time.perf_counter()
    ids = [uuid.uuid4().hex for _ in range(_JOBS)]
    if path is not None:
        jobs = [(name, "user", "flow", "running", _NOW, _NOW, None) for name in ids]
        await _store(path, "INSERT INTO job VALUES (?, ?, ?, ?, ?, ?, ?)", jobs)
    tasks = [asyncio.create_task(asyncio.Event().wait(), name=name) for name in ids]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if path is not None:
        events = [(name, 1, "cancelled", "{}", _NOW) for name in ids]
        await _store(path, "INSERT INTO event VALUES (?, ?, ?, ?, ?)", events)
        ends = [("cancelled", _NOW, name) for name in ids]
        await _store(path, "UPDATE job SET status = ?, finished_at = ? WHERE id = ?", ends)
    return (time.perf_counter() - begun) / _JOBS * 1e6


_NOW = "2026-01-01 00:00:00.000000"
_TABLES = """
CREATE TABLE IF NOT EXISTS event (job TEXT, seq INTEGER, type TEXT, data TEXT, at TEXT, PRIMARY KEY (job, seq));
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY, user_id TEXT, kind TEXT, status TEXT, created_at TEXT, started_at TEXT, finished_at TEXT
);
CREATE INDEX IF NOT EXISTS job_user ON job (user_id, created_at);
CREATE INDEX IF NOT EXISTS job_status ON job (status);
CREATE INDEX IF NOT EXISTS job_finished ON job (finished_at);
"""


async def _store(path: Path, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Write rows, a group in a transaction, with the indexes that the rows of jobs have."""
    async with aiosqlite.connect(path) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=NORMAL")
        await connection.executescript(_TABLES)
        for start in range(0, len(rows), _GROUP):
            await connection.executemany(statement, rows[start : start + _GROUP])
            await connection.commit()
