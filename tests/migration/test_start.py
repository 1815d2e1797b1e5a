"""Migrating at start: once, by one of many, and only what is Bedplate's to migrate."""

import asyncio
import json
import os
import sqlite3
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bedplate.services.database.backend import leased
from bedplate.services.database.errors import (
    SchemaAheadError,
    SchemaBehindError,
    SchemaError,
    UnknownRevisionError,
)
from bedplate.services.database.revisions import VERSION_TABLE, head
from bedplate.services.database.sqlite.alteration import Alteration

START = """
import asyncio, json, logging, sys
from pathlib import Path
from bedplate.services.database.factory import build_database
from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

migrated = []
class Handler(logging.Handler):
    def emit(self, record):
        migrated.append(record.getMessage())
logger = logging.getLogger("bedplate.database")
logger.setLevel("INFO")
logger.addHandler(Handler())

async def main():
    settings = SettingsService(data_dir=Path(sys.argv[1]))
    database = build_database(settings, TelemetryService(settings, Redactor(settings)))
    print("ready", flush=True)
    sys.stdin.readline()
    await database.start()
    current = await database.migrations.current()
    await database.stop()
    migrations = [message for message in migrated if message.startswith("database migrated")]
    print(json.dumps({"alembic": "alembic" in sys.modules, "current": current, "migrations": len(migrations)}))

asyncio.run(main())
"""

Start = Callable[[int], Awaitable[list[dict[str, object]]]]


@pytest.fixture
def start_processes(tmp_path: Path) -> Start:
    """Starts the service in so many new processes at the same moment; returns what each saw."""

    async def start(count: int) -> list[dict[str, object]]:
        pipe = asyncio.subprocess.PIPE
        # Compiling every module anew, five times at once, would be most of the test.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", START, str(tmp_path / "data"), stdin=pipe, stdout=pipe, env=environment
            )
            for _ in range(count)
        ]
        for process in processes:
            assert await process.stdout.readline() == b"ready\n"
        outputs = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
        assert [process.returncode for process in processes] == [0] * count
        return [json.loads(output) for output, _ in outputs]

    return start


async def test_processes_that_start_together_migrate_once(start_processes: Start) -> None:
    """DB-4: five on an empty directory: one migrates, the others wait and find it done."""
    seen = await start_processes(5)
    assert [process["current"] for process in seen] == [head()] * 5
    assert sum(process["migrations"] for process in seen) == 1
    assert sum(process["alembic"] for process in seen) == 1


async def test_alembic_is_not_imported_at_head(make_database, start_processes: Start) -> None:
    """DB-4: a start on a database at head compares one row with the names of the files."""
    make_database(migrated=True)
    assert await start_processes(1) == [{"alembic": False, "current": head(), "migrations": 0}]


async def test_two_databases_of_one_process_migrate_at_once(make_database, tmp_path: Path) -> None:
    """DB-4: Alembic itself can do but one at a time."""
    databases = [make_database(url=f"sqlite:///{tmp_path}/{name}.db") for name in "abc"]
    await asyncio.gather(*(database.start() for database in databases))
    assert [await database.migrations.check() for database in databases] == [[], [], []]


async def test_a_schema_ahead_is_refused_by_name(make_database) -> None:
    """DB-4: with both revisions and the fix; the service is not started, and the database is left as it is."""
    database = make_database(migrated=True)
    await _set_revision(database, "9999")
    with pytest.raises(SchemaAheadError, match=rf"9999.*{head()}.*bedplate db downgrade {head()}"):
        await database.start()
    assert not database.started
    with pytest.raises(SchemaAheadError):
        await database.migrations.upgrade()
    assert await database.migrations.current() == "9999"


async def test_an_unknown_revision_is_refused(make_database) -> None:
    """DB-4: nothing is guessed, nothing is dropped."""
    database = make_database(migrated=True)
    await _set_revision(database, "3a7f00c0ffee")
    with pytest.raises(UnknownRevisionError, match="3a7f00c0ffee"):
        await database.start()


async def test_two_revisions_are_refused(make_database) -> None:
    """DB-4: the version table itself is damaged."""
    database = make_database(migrated=True)
    async with _connection(database) as connection:
        await connection.exec_driver_sql(f"INSERT INTO {VERSION_TABLE} VALUES ('0001')")
        await connection.commit()
    with pytest.raises(UnknownRevisionError, match=f"0001, {head()}"):
        await database.start()


async def test_migrating_at_start_can_be_switched_off(make_database) -> None:
    """DB-4: then a database behind is refused, and one at head starts."""
    database = make_database(migrate=False)
    with pytest.raises(SchemaBehindError, match="bedplate db upgrade"):
        await database.start()
    await database.migrations.upgrade("0002")
    with pytest.raises(SchemaBehindError, match="0002"):
        await database.start()
    await database.migrations.upgrade()
    await database.start()


async def test_a_foreign_database_is_no_obstacle(make_database, tmp_path: Path) -> None:
    """DB-3: tables of others, with a history of their own, are neither read nor touched."""
    (tmp_path / "data").mkdir()
    with sqlite3.connect(tmp_path / "data" / "bedplate.db") as connection:
        connection.execute("CREATE TABLE user (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('of-the-host')")
        before = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    connection.close()
    database = make_database()
    await database.start()
    await database.migrations.downgrade("base")
    await database.stop()
    with sqlite3.connect(tmp_path / "data" / "bedplate.db") as connection:
        after = connection.execute(f"SELECT sql FROM sqlite_master WHERE tbl_name != '{VERSION_TABLE}'").fetchall()
        assert after == before
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("of-the-host",)]
    connection.close()


async def test_a_migration_that_fails_changes_nothing(make_database) -> None:
    """DB-4: all revisions or none: the first ones ran, and are gone with the one that failed."""
    database = make_database()
    async with _connection(database) as connection:
        await connection.exec_driver_sql("CREATE TABLE bedplate_message (id INTEGER)")
        await connection.commit()
    with pytest.raises(SchemaError, match=r"bedplate_message already exists"):
        await database.start()
    async with _connection(database) as connection:
        names = await connection.exec_driver_sql("SELECT name FROM sqlite_master")
        assert names.scalars().all() == ["bedplate_message"]


async def test_a_start_cancelled_while_it_migrates(make_database, monkeypatch: pytest.MonkeyPatch) -> None:
    """DB-4: the migration is rolled back, or was done; the next start finishes it."""
    database = make_database()
    begun = threading.Event()
    run = Alteration.run

    def run_and_tell(alteration: Alteration, work: Callable[[sa.Connection], object]) -> object:
        begun.set()
        return run(alteration, work)

    monkeypatch.setattr(Alteration, "run", run_and_tell)
    task = asyncio.create_task(database.start())
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert not database._backend.is_open
    assert await database.migrations.current() in (None, head())
    await database.start()
    assert await database.migrations.check() == []


class _connection:  # noqa: N801 - reads like the function that it stands for
    """A writing connection of a service that is not started."""

    def __init__(self, database) -> None:
        self._backend = database._backend

    async def __aenter__(self):
        await self._backend.open()
        self._write = leased(self._backend.write())
        return await self._write.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await self._write.__aexit__(*error)
        await self._backend.close()


async def _set_revision(database, revision: str) -> None:
    async with _connection(database) as connection:
        await connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'")
        await connection.commit()
