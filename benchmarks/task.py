"""A task from its submit until what it returned is in the database."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiosqlite
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import new_id
from bedplate.services.task import TaskRegistry, TaskService, default_registry
from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_RUNS = 200


class PeerRun(SQLModel, table=True):
    id: uuid.UUID = Field(primary_key=True)
    name: str
    status: str
    arguments: str
    result: str | None = None


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """The task service against a row that is inserted, a task of the event loop, and a row that is updated."""
    registry: TaskRegistry = default_registry

    @registry.task("benchmark.add")
    async def add(number: int) -> int:
        return number + 1

    with temporary_folder() as folder, run_in(runner, folder, "task_worker", "auth") as container:
        user, tasks = runner.run(container.auth().create_superuser("ada", "a password")), container.task()
        engine = runner.run(_engine(Path(folder) / "peer.db"))
        yield ratio(
            "task, submit to done",
            lambda: _through_service(tasks, user.id),
            lambda: _by_sessions(engine),
            against="one insert, one create_task, one update in SQLModel sessions",
            unit="µs",
            aim=Aim("≤", 3.0),
            runner=runner,
        )
        yield ratio(
            "task, submit to done, beside bare aiosqlite",
            lambda: _through_service(tasks, user.id),
            lambda: _by_aiosqlite(Path(folder) / "bare.db"),
            against="one insert, one create_task, one update in aiosqlite",
            unit="µs",
            aim=None,
            runner=runner,
        )
        runner.run(engine.dispose())
    registry.remove("benchmark.add")


async def _through_service(tasks: TaskService, user_id: uuid.UUID) -> float:
    """Microseconds a task, from its submit until it is known to be done."""
    begun = time.perf_counter()
    for number in range(_RUNS):
        run = await tasks.submit(user_id, "benchmark.add", {"number": number})
        with tasks.waiters.of(run.id) as written:
            await written.wait()
    return (time.perf_counter() - begun) / _RUNS * 1e6


async def _engine(path: Path) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")

    @sa.event.listens_for(engine.sync_engine, "connect")
    def configure(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
            connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]  # SQLite's own

    async with engine.begin() as connection:
        await connection.run_sync(PeerRun.__table__.create)  # type: ignore[attr-defined]  # SQLModel's own
    return engine


async def _work() -> int:
    return 1


async def _by_sessions(engine: AsyncEngine) -> float:
    begun = time.perf_counter()
    for _ in range(_RUNS):
        row = PeerRun(id=new_id(), name="add", status="running", arguments='{"number":1}')
        async with AsyncSession(engine, expire_on_commit=False) as session:
            session.add(row)
            await session.commit()
        result = await asyncio.create_task(_work())
        async with AsyncSession(engine, expire_on_commit=False) as session:
            statement = sa.update(PeerRun).where(PeerRun.id == row.id)  # type: ignore[arg-type]  # a column
            await session.exec(statement.values(status="succeeded", result=str(result)))
            await session.commit()
    return (time.perf_counter() - begun) / _RUNS * 1e6


@contextlib.asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(path) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=NORMAL")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS run (id TEXT PRIMARY KEY, name TEXT, status TEXT, arguments TEXT, result TEXT)"
        )
        yield connection


async def _by_aiosqlite(path: Path) -> float:
    async with _opened(path) as connection:
        begun = time.perf_counter()
        for _ in range(_RUNS):
            run_id = new_id().hex
            values = (run_id, "add", "running", '{"number":1}', None)
            await connection.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?)", values)
            await connection.commit()
            result = await asyncio.create_task(_work())
            await connection.execute(
                "UPDATE run SET status = ?, result = ? WHERE id = ?", ("succeeded", str(result), run_id)
            )
            await connection.commit()
        return (time.perf_counter() - begun) / _RUNS * 1e6
