"""PostgreSQL as it is in production: refusals named at start, poolers, servers that go away and come back."""

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy as sa
from sqlmodel import select
from tests.servers.pgbouncer import pgbouncer
from tests.servers.relay import Relay

from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import (
    DatabaseBusyError,
    DatabaseLockedError,
    DatabaseTimeoutError,
    DatabaseUnreachableError,
    DatabaseURLError,
    UniqueViolationError,
)
from bedplate.services.database.factory import build_database
from bedplate.services.database.models import UserRow
from bedplate.services.database.postgres import connection
from bedplate.services.database.violations import violations
from bedplate.services.engines.redactor import Redactor
from bedplate.services.health import HealthStatus
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.servers.postgres import free_port, new_database, postgres

WRONG = "hunter2-of-tests"


def build(url: str, **values: Any) -> DatabaseService:
    settings = SettingsService(profile="test", database={"backend": "postgres", "url": url, **values})
    return build_database(settings, TelemetryService(settings, Redactor(settings)))


def row(name: str) -> UserRow:
    return UserRow(username=name, username_key=name, password_hash=WRONG)


def _changed(url: str, pattern: str, to: str) -> str:
    return re.sub(pattern, to, url, count=1)


@pytest.mark.parametrize(
    ("pattern", "to", "kind", "says"),
    [
        (r":[^:@/]+@", f":{WRONG}@", DatabaseURLError, "refuses the password"),
        (r"://[^:]+:", "://nobody:", DatabaseURLError, "refuses the password"),
        (r"/[^/]+$", "/no_such_database", DatabaseURLError, "no such database"),
        (r"@127.0.0.1:\d+", "@127.0.0.1:{free}", DatabaseUnreachableError, "does not answer"),
        (r"@127.0.0.1:\d+", "@host.invalid:5432", DatabaseUnreachableError, "does not answer"),
        (r"$", "?sslmode=require", DatabaseURLError, "do not agree about TLS"),
        (r"^postgresql", "postgresql+asyncpg", DatabaseURLError, "the URL is another one"),
        (r"^postgresql", "mysql", DatabaseURLError, "the URL is another one"),
        (r"@[^/]+", "@", DatabaseURLError, "names no host"),
    ],
)
async def test_what_is_wrong_is_named_at_start(postgres_url: str, pattern: str, to: str, kind: Any, says: str) -> None:
    """DB-6: by service, setting and fix, and without the password."""
    database = build(_changed(postgres_url, pattern, to.format(free=free_port())))
    with pytest.raises(kind, match=says) as caught:
        await database.start()
    text = f"{caught.value} {caught.value!r}"
    assert "BEDPLATE_DATABASE__URL" in text
    assert caught.value.fix
    assert WRONG not in text
    assert "a-password-of-tests" not in text


async def test_a_url_is_needed_and_schema_and_pooler_exclude_each_other(postgres_url: str) -> None:
    """DB-6"""
    settings = SettingsService(profile="test", database={"backend": "postgres"})
    with pytest.raises(DatabaseURLError, match="needs a URL"):
        await build_database(settings, TelemetryService(settings, Redactor(settings))).start()
    with pytest.raises(DatabaseURLError, match="ALTER ROLE"):
        await build(postgres_url, db_schema="x", pooler="transaction").start()
    with pytest.raises(DatabaseURLError, match="not the name of a schema"):
        await build(postgres_url, db_schema="x; drop").start()


async def test_locks_and_slow_statements_are_bounded(migrated_postgres: str) -> None:
    """DB-1, DB-6"""
    database = build(migrated_postgres, busy_timeout=0.2, statement_timeout=0.5)
    await database.start()
    with psycopg.connect(migrated_postgres) as other:
        other.execute("LOCK TABLE bedplate_user IN EXCLUSIVE MODE")
        with pytest.raises(DatabaseLockedError, match=r"0\.2 s"):
            async with database.transaction() as session:
                session.add(row("ada"))
                await session.flush()
    with pytest.raises(DatabaseTimeoutError, match="STATEMENT_TIMEOUT"):
        async with database.session() as session:
            await (await session.connection()).exec_driver_sql("SELECT pg_sleep(5)")
    await database.stop()


async def test_a_full_pool_is_a_typed_error(migrated_postgres: str) -> None:
    """DB-1: nobody waits without end, and the settings are named."""
    database = build(migrated_postgres, write_pool_size=1, pool_timeout=0.1)
    await database.start()

    async def second() -> None:
        async with database.transaction():
            pass

    async with database.transaction():
        with pytest.raises(DatabaseBusyError, match="WRITE_POOL_SIZE"):
            await asyncio.create_task(second())
    await second()
    await database.stop()


async def test_a_violation_names_table_and_columns_and_no_value(migrated_postgres: str) -> None:
    """DB-6"""
    database = build(migrated_postgres)
    await database.start()
    with pytest.raises(UniqueViolationError) as caught:
        async with database.transaction() as session:
            with violations():
                session.add_all([row("ada"), row("ada")])
                await session.flush()
    assert (caught.value.table, caught.value.columns) == ("bedplate_user", ("username_key",))
    chain: BaseException | None = caught.value
    while chain is not None:
        assert WRONG not in str(chain)
        assert "(ada)" not in str(chain)
        chain = chain.__cause__ or chain.__context__
    await database.stop()


async def test_writers_at_once_lose_nothing(migrated_postgres: str) -> None:
    """DB-1: fifty tasks over four connections, each with a savepoint that fails."""
    database = build(migrated_postgres, write_pool_size=4)
    await database.start()

    async def write(number: int) -> None:
        async with database.transaction() as session:
            session.add(row(f"user {number}"))
            await session.flush()
            with pytest.raises(UniqueViolationError):
                async with database.transaction() as inner:
                    with violations():
                        inner.add(row(f"user {number}"))
                        await inner.flush()

    await asyncio.gather(*(write(number) for number in range(50)))
    async with database.session() as session:
        assert len((await session.exec(select(UserRow.id))).all()) == 50
    await database.stop()


async def test_a_pooler_in_transaction_mode(tmp_path: Path, postgres_url: str) -> None:
    """DB-1: named where the setting is missing, and of no consequence where it is there."""
    direct = new_database(postgres_url)
    with pgbouncer(tmp_path, direct) as url:
        with pytest.raises(DatabaseURLError, match="POOLER=transaction"):
            await build(url).start()
        database = build(url, pooler="transaction", pool_size=6, write_pool_size=6)
        await database.start()
        assert await database.migrations.check() == []

        async def work(number: int) -> int:
            async with database.transaction() as session:
                session.add(row(f"user {number}"))
            async with database.session() as session:
                return len((await session.exec(select(UserRow.id).where(UserRow.username == f"user {number}"))).all())

        # More tasks than the pooler has connections, and the same statements again and again.
        assert await asyncio.gather(*(work(number) for number in range(40))) == [1] * 40
        assert await asyncio.gather(*(_count(database) for _ in range(40))) == [40] * 40
        async with database.session() as session:
            connection = await session.connection()
            timeout = (await connection.exec_driver_sql("SHOW statement_timeout")).scalar_one()
        assert timeout == "30s"
        await database.stop()


async def _count(database: DatabaseService) -> int:
    async with database.session() as session:
        return len((await session.exec(select(UserRow.id))).all())


@pytest.mark.slow
async def test_a_server_that_is_stopped_and_started_again(tmp_path: Path) -> None:
    """DB-1: one clear error meanwhile, health that tells, and no restart of the service."""
    port = free_port()
    with postgres(tmp_path, port=port) as url:
        database = build(url, pool_timeout=2)
        await database.start()
        async with database.transaction() as session:
            session.add(row("before"))
    with pytest.raises(DatabaseUnreachableError) as caught:
        async with database.transaction() as session:
            session.add(row("meanwhile"))
    assert "a-password-of-tests" not in str(caught.value)
    assert (await database.health()).status is HealthStatus.DOWN
    with postgres(tmp_path, port=port):
        async with database.transaction() as session:
            session.add(row("after"))
        async with database.session() as session:
            assert set((await session.exec(select(UserRow.username))).all()) == {"before", "after"}
        assert (await database.health()).status is HealthStatus.UP
        await database.stop()


async def test_a_connection_that_the_server_has_just_ended_is_replaced(migrated_postgres: str) -> None:
    """DB-1: nobody sees it who asks for one, however short a time ago it was in use."""
    database = build(migrated_postgres)
    await database.start()
    async with database.transaction() as session:
        session.add(row("before"))
    others = (
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    for _ in range(3):
        async with await psycopg.AsyncConnection.connect(migrated_postgres) as admin:
            ended = await (await admin.execute(others)).fetchall()
        assert ended
        assert all(done for (done,) in ended)
        assert await database.read(lambda connection: connection.scalar(sa.select(sa.func.count(UserRow.id)))) == 1
    await database.stop()


async def test_a_connection_that_falls_silent_is_given_up(migrated_postgres: str, monkeypatch: Any) -> None:
    """DB-1: neither side ends it, and no answer comes: as with a firewall that has forgotten it."""
    monkeypatch.setattr(connection, "_GRACE", 0.2)
    server = urlsplit(migrated_postgres)
    async with Relay(server.port or 0) as relay:
        database = build(migrated_postgres.replace(f":{server.port}", f":{relay.port}"), statement_timeout=1)
        await database.start()
        with pytest.raises(DatabaseUnreachableError):
            async with database.session() as session:
                await session.exec(select(UserRow.id))
                relay.silence()
                await session.exec(select(UserRow.id))
        async with database.transaction() as session:  # the pool has found out, and opens another
            session.add(row("after"))
        async with database.session() as session:
            waiting = asyncio.create_task(session.exec(sa.text("SELECT pg_sleep(30)")))
            await asyncio.sleep(0.1)
            relay.silence()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert await _count(database) == 1
        await database.stop()
