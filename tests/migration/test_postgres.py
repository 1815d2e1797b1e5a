"""The history of revisions on PostgreSQL."""

import asyncio
import sys

import psycopg
import pytest
import sqlalchemy as sa
from sqlmodel import select

from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import SchemaError
from bedplate.services.database.models import AuditEventRow, UserRow, metadata
from bedplate.services.database.revisions import VERSION_TABLE, head, known_revisions
from bedplate.wiring.testing.servers.postgres import new_database

_START = """
import asyncio, sys
from bedplate.services.database.factory import build_database
from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

settings = SettingsService(profile="test", database={"backend": "postgres", "url": sys.argv[1]})
database = build_database(settings, TelemetryService(settings, Redactor(settings)))

async def main():
    await database.start()
    await database.stop()
    print("alembic" in sys.modules)

asyncio.run(main())
"""


async def _tables(database: DatabaseService) -> set[str]:
    async with database.session() as session:
        connection = await session.connection()
        return set(await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()))


async def test_models_and_migrations_agree(make_database, postgres_database: str) -> None:
    """DB-4: on PostgreSQL, upward and downward."""
    database = make_database(backend="postgres", url=postgres_database, migrate=False)
    migrations = database.migrations
    for revision in known_revisions():
        await migrations.upgrade(revision)
    assert await migrations.check() == []
    await database.start()
    assert await _tables(database) == set(metadata.tables) | {VERSION_TABLE}
    for _ in known_revisions():
        await migrations.downgrade("-1")
    assert await _tables(database) == {VERSION_TABLE}
    await migrations.upgrade()
    assert await migrations.current() == head()


async def test_replicas_that_start_together_migrate_once(postgres_database: str) -> None:
    """DB-4: five processes, one migration; the others find it done."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _START, postgres_database, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(5)
    ]
    answers = [(await process.communicate())[0].decode().strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * 5
    assert set(answers) <= {"True", "False"}
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute(f"SELECT version_num FROM {VERSION_TABLE}".encode()).fetchall() == [(head(),)]


async def test_a_schema_of_its_own(make_database, postgres_database: str) -> None:
    """DB-3: beside the tables of others, which nobody touches."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute('CREATE TABLE "user" (id int)')
    database = make_database(backend="postgres", url=postgres_database, db_schema="bedplate")
    await database.start()
    assert await database.migrations.check() == []
    async with database.transaction() as session:
        session.add(UserRow(username="ada", username_key="ada", password_hash="-"))
    with psycopg.connect(postgres_database) as connection:
        found = connection.execute(
            "SELECT table_schema, count(*) FROM information_schema.tables"
            " WHERE table_schema IN ('public', 'bedplate') GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert found == [("bedplate", len(metadata.tables) + 1), ("public", 1)]


async def test_a_migration_that_fails_changes_nothing(make_database, postgres_database: str) -> None:
    """DB-4: all revisions or none."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE bedplate_message (id int)")  # in the way of the fourth
    database = make_database(backend="postgres", url=postgres_database)
    with pytest.raises(SchemaError, match="nothing was changed"):
        await database.start()
    with psycopg.connect(postgres_database) as connection:
        found = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        assert found.fetchall() == [("bedplate_message",)]


async def test_a_cancelled_migration_is_rolled_back(make_database, postgres_url: str) -> None:
    """DB-4: also one that waits for another process."""
    url = new_database(postgres_url)
    database = make_database(backend="postgres", url=url)
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (0x6265_6470_6C61_7465,))
        starting = asyncio.create_task(database.start())
        with psycopg.connect(url, autocommit=True) as watching:
            while not watching.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        starting.cancel()
        await asyncio.wait({starting})
        assert starting.cancelled()
    await database.start()
    assert await database.migrations.current() == head()


@pytest.mark.postgres
async def test_the_audit_log_is_append_only_there_too(database: DatabaseService) -> None:
    """AUTH-8: by triggers, as on SQLite."""
    async with database.transaction() as session:
        session.add(AuditEventRow(kind="login"))
    for statement in ("UPDATE bedplate_audit_event SET kind = 'x'", "DELETE FROM bedplate_audit_event"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            async with database.transaction() as session:
                await (await session.connection()).exec_driver_sql(statement)
    async with database.session() as session:
        assert (await session.exec(select(AuditEventRow.kind))).all() == ["login"]
