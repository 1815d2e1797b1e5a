"""The database service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.base import Service
from bedplate.services.database.models import metadata
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

__all__ = ["DatabaseService"]

_open: ContextVar[tuple[asyncio.Task[Any] | None, AsyncSession] | None] = ContextVar(
    "bedplate_transaction", default=None
)


class DatabaseService(Service):
    """Transactions and sessions over one database."""

    type = ServiceType.DATABASE

    def __init__(self, settings: SettingsService, telemetry: TelemetryService) -> None:
        self._settings = settings
        self._engine: AsyncEngine | None = None
        self._write_lock = asyncio.Lock()

    async def _start(self) -> None:
        values = self._settings.values
        values.data_dir.mkdir(parents=True, exist_ok=True)
        url = values.database.url
        self._engine = create_async_engine(
            url.get_secret_value() if url else f"sqlite+aiosqlite:///{values.data_dir}/bedplate.db"
        )

        @sa.event.listens_for(self._engine.sync_engine, "connect")
        def pragmas(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA journal_mode=WAL")

        async with self._engine.begin() as connection:
            await connection.run_sync(metadata.create_all)

    async def _stop(self) -> None:
        if self._engine is not None:
            engine, self._engine = self._engine, None
            await engine.dispose()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session for reading; inside the task's open transaction, that transaction's session."""
        current = _open.get()
        if current is not None and current[0] is asyncio.current_task():
            yield current[1]
            return
        self._require_started()
        async with AsyncSession(self._engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A transaction: commits at the end, rolls back on an error; inside an open one of this task, a savepoint."""
        current = _open.get()
        if current is not None and current[0] is asyncio.current_task():
            async with current[1].begin_nested():
                yield current[1]
            return
        self._require_started()
        async with (
            self._write_lock,
            AsyncSession(self._engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            token = _open.set((asyncio.current_task(), session))
            try:
                yield session
            finally:
                _open.reset(token)
