"""Rows of PostgreSQL through a repository, against the bare library, at the same server."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow, new_id
from bedplate.services.database.repositories.user import UserRepository
from bedplate.wiring.testing.servers.postgres import new_database, postgres
from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_ROWS = 200


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Insert one row, again and again."""
    with temporary_folder() as folder, postgres(Path(folder)) as server:
        url = new_database(server)
        with run_in(runner, folder, "database", database={"backend": "postgres", "url": url}) as container:
            engine = create_async_engine(url.replace("postgresql://", "postgresql+psycopg://"), pool_pre_ping=True)
            yield ratio(
                "insert through a repository on PostgreSQL",
                lambda: _through_repository(container.database()),
                lambda: _bare(engine),
                against="a bare SQLModel session with pre-ping, at the same server",
                unit="µs",
                aim=Aim("≤", 1.2),
                runner=runner,
            )
            runner.run(engine.dispose())


def _new_user() -> UserRow:
    row_id = new_id()
    return UserRow(id=row_id, username=str(row_id), username_key=str(row_id), password_hash="x")


async def _through_repository(database: DatabaseService) -> float:
    """Microseconds a row."""
    begun = time.perf_counter()
    for _ in range(_ROWS):
        async with database.transaction() as session:
            await UserRepository(session).add(_new_user())
    return (time.perf_counter() - begun) / _ROWS * 1e6


async def _bare(engine: AsyncEngine) -> float:
    """Microseconds a row."""
    begun = time.perf_counter()
    for _ in range(_ROWS):
        async with AsyncSession(engine, expire_on_commit=False) as session:
            session.add(_new_user())
            await session.commit()
    return (time.perf_counter() - begun) / _ROWS * 1e6
