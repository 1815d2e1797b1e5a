"""Many writers at once, in this process and in another, on one SQLite file."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import select

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow

OTHER_PROCESS = """
import asyncio, json, sys
from pathlib import Path
from bedplate.services.database.factory import build_database
from bedplate.services.database.models import UserRow
from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

async def main():
    settings = SettingsService(data_dir=Path(sys.argv[1]))
    database = build_database(settings, TelemetryService(settings, Redactor(settings)))
    await database.start()
    print("ready", flush=True)
    told = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    written, errors = 0, []
    while not told.done():
        try:
            async with database.transaction() as session:
                name = f"other-{written}"
                session.add(UserRow(username=name, username_key=name, password_hash="x"))
            written += 1
        except Exception as error:
            errors.append(repr(error))
    await database.stop()
    print(json.dumps([written, errors]), flush=True)

asyncio.run(main())
"""


async def write_beside_another_process(database: DatabaseService, folder: Path, *, seconds: float, least: int) -> None:
    """Fifty writers here, one in another process, for so long and until each has written so often."""
    pipe = asyncio.subprocess.PIPE
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER_PROCESS, str(folder), stdin=pipe, stdout=pipe, env=environment
    )
    assert await other.stdout.readline() == b"ready\n"
    written = [0] * 50
    end = time.monotonic() + seconds

    async def write(number: int) -> None:
        while time.monotonic() < end or written[number] < least:
            async with database.transaction() as session:
                name = f"{number}-{written[number]}"
                session.add(UserRow(username=name, username_key=name, password_hash="x"))
                await session.flush()
                assert (await session.exec(select(UserRow.id).where(UserRow.username_key == name))).one()
            written[number] += 1

    await asyncio.gather(*(write(number) for number in range(50)))
    output, _ = await other.communicate(b"\n")
    others, errors = json.loads(output)
    assert errors == []
    assert others > 0
    # Nobody overtakes: all of this process had their turn equally often.
    assert max(written) - min(written) <= max(1, max(written) // 10)
    async with database.session() as session:
        stored = (await session.exec(select(sa.func.count()).select_from(UserRow))).one()
    assert stored == sum(written) + others


async def test_fifty_writers_beside_another_process(database: DatabaseService, settings) -> None:
    """DB-1: the lock is waited for, in this process in the order of asking."""
    await write_beside_another_process(database, settings.values.data_dir, seconds=0, least=3)


@pytest.mark.slow
async def test_fifty_writers_for_ten_seconds_beside_another_process(database: DatabaseService, settings) -> None:
    """DB-1: without one "database is locked" anywhere."""
    await write_beside_another_process(database, settings.values.data_dir, seconds=10, least=1)


async def test_readers_do_not_wait_for_a_writer(database: DatabaseService) -> None:
    """DB-1: in WAL mode they see the last commit while a transaction is open."""

    async def read() -> int:
        async with database.session() as session:
            return (await session.exec(select(sa.func.count()).select_from(UserRow))).one()

    async with database.transaction() as session:
        session.add(UserRow(username="ada", username_key="ada", password_hash="x"))
        await session.flush()
        counts = await asyncio.gather(*(asyncio.create_task(read()) for _ in range(20)))
    assert counts == [0] * 20
    assert await read() == 1


async def test_the_file_has_the_settings_that_the_service_promises(database: DatabaseService) -> None:
    """DB-1: WAL, foreign keys, synchronous=NORMAL, on every connection; reading ones refuse writes."""
    expected = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1}

    async def read(query_only: int) -> None:
        async with database.transaction() if query_only == 0 else database.session() as session:
            connection = await session.connection()
            for pragma, value in {**expected, "query_only": query_only}.items():
                assert (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one() == value

    await asyncio.gather(read(0), read(1), read(1), read(1))
