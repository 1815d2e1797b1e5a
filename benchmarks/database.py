"""Rows through repositories, and messages in bulk, against the bare library and the bare driver."""

import asyncio
import gc
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.auth import User
from bedplate.services.chat import ChatService, NewMessage
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow, new_id, utc_now
from bedplate.services.database.repositories.user import UserRepository
from benchmarks.harness import Aim, Row, absolute, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_ROWS = 200
_MESSAGES = 10_000
_TICK = 0.001


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Insert and read one row, and ten thousand messages at once."""
    with temporary_folder() as folder, run_in(runner, folder, "chat", "auth") as container:
        database, chat = container.database(), container.chat()
        user = runner.run(container.auth().create_superuser("ada", "a password"))
        file = container.settings().values.data_dir / "bedplate.db"
        engine = create_async_engine(f"sqlite+aiosqlite:///{file}", connect_args={"timeout": 30})
        sa.event.listen(engine.sync_engine, "connect", _as_fast)
        yield ratio(
            "insert and read through a repository",
            lambda: _through_repository(database),
            lambda: _bare(engine),
            against="a bare SQLModel session",
            unit="µs",
            aim=Aim("≤", 1.15),
            runner=runner,
        )
        runner.run(engine.dispose())
        yield ratio(
            "10,000 messages in bulk",
            lambda: _in_bulk(chat, user),
            lambda: _by_executemany(file, user),
            against="executemany in a thread, of the same rows into the same table",
            unit="ms",
            aim=Aim("≤", 2.0),
            runner=runner,
            rounds=7,
        )
        gc.collect()
        gc.freeze()  # as the lifespan of an app does: else what stalls is the collector, on the heap of the start
        yield absolute(
            "stall of the event loop during 10,000 messages in bulk",
            lambda: _stall(chat, user),
            unit="ms",
            aim=Aim("≤", 30.0),
            runner=runner,
            rounds=7,
        )
        gc.unfreeze()


def _as_fast(connection: sqlite3.Connection, _record: object) -> None:
    # As the database service sets it.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _new_user() -> UserRow:
    row_id = new_id()
    return UserRow(id=row_id, username=str(row_id), username_key=str(row_id), password_hash="x")


async def _through_repository(database: DatabaseService) -> float:
    """Microseconds a row."""
    begun = time.perf_counter()
    for _ in range(_ROWS):
        row = _new_user()
        async with database.transaction() as session:
            await UserRepository(session).add(row)
        async with database.session() as session:
            assert await UserRepository(session).by_id(row.id) is not None
    return (time.perf_counter() - begun) / _ROWS * 1e6


async def _bare(engine: AsyncEngine) -> float:
    """Microseconds a row."""
    begun = time.perf_counter()
    for _ in range(_ROWS):
        row = _new_user()
        async with AsyncSession(engine, expire_on_commit=False) as session:
            session.add(row)
            await session.commit()
        async with AsyncSession(engine) as session:
            assert (await session.exec(sa.select(UserRow).where(UserRow.id == row.id))).scalars().first() is not None
    return (time.perf_counter() - begun) / _ROWS * 1e6


def _messages() -> Sequence[NewMessage]:
    now = utc_now()
    return [
        NewMessage(
            session_id="a session",
            sender="User",
            sender_name="Ada",
            text=f"message {number} of a longer conversation, with a sentence or two in it",
            timestamp=now,
            properties={"source": {"id": "ChatInput-1"}},
        )
        for number in range(_MESSAGES)
    ]


async def _in_bulk(chat: ChatService, user: User) -> float:
    """Milliseconds."""
    messages = _messages()
    begun = time.perf_counter()
    assert await chat.import_all(user.id, messages) == _MESSAGES
    return (time.perf_counter() - begun) * 1e3


async def _by_executemany(file: Path, user: User) -> float:
    """Milliseconds."""
    messages = _messages()
    with ThreadPoolExecutor(1) as thread:
        begun = time.perf_counter()
        await asyncio.get_running_loop().run_in_executor(thread, _executemany, file, user.id, messages)
        return (time.perf_counter() - begun) * 1e3


def _executemany(file: Path, user_id: uuid.UUID, messages: Sequence[NewMessage]) -> None:
    connection = sqlite3.connect(file, isolation_level=None, timeout=30)
    _as_fast(connection, None)
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO bedplate_message (id, user_id, session_id, timestamp, sender, sender_name, text, files,"
        " properties, content_blocks, category, error, edit, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                new_id().hex,
                user_id.hex,
                message.session_id,
                message.timestamp.strftime("%Y-%m-%d %H:%M:%S.%f") if message.timestamp else "",
                message.sender,
                message.sender_name,
                message.text,
                msgspec.json.encode(message.files).decode(),
                msgspec.json.encode(message.properties).decode(),
                msgspec.json.encode(message.content_blocks).decode(),
                message.category,
                message.error,
                False,
                message.status.value,
            )
            for message in messages
        ],
    )
    connection.execute("COMMIT")
    connection.close()


async def _stall(chat: ChatService, user: User) -> float:
    """The longest time, in milliseconds, for which nothing else ran."""
    messages = _messages()
    async with _heartbeat() as beats:
        await chat.import_all(user.id, messages)
    return max(beats) * 1e3


@asynccontextmanager
async def _heartbeat() -> AsyncIterator[list[float]]:
    late: list[float] = [0.0]

    async def beat() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(_TICK)
            late.append(time.perf_counter() - begun - _TICK)

    task = asyncio.create_task(beat())
    await asyncio.sleep(0)
    try:
        yield late
    finally:
        task.cancel()
