"""What is old, or too much, is deleted in bounded batches; on by default, each limit a setting (DB-5)."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.auth import User
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import (
    FlowRow,
    FolderRow,
    MessageRow,
    SpanRow,
    Table,
    TraceRow,
    TransactionRow,
    VariableRow,
    VariableVersionRow,
    VertexBuildRow,
    utc_now,
)
from bedplate.services.database.retention import Retention, delete_old
from bedplate.services.settings import SettingsService
from bedplate.wiring.cli.app import run

DAY = 24 * 3600.0


def message(user_id: uuid.UUID, at: datetime) -> MessageRow:
    return MessageRow(user_id=user_id, session_id="s", sender="User", sender_name="Ada", text="t", timestamp=at)


async def count(database: DatabaseService, model: type[Table]) -> int:
    async with database.session() as session:
        return int(await session.scalar(sa.select(sa.func.count()).select_from(model)) or 0)


async def add_messages(database: DatabaseService, user_id: uuid.UUID, *days: float) -> None:
    async with database.transaction() as session:
        session.add_all([message(user_id, utc_now() - timedelta(days=age)) for age in days])


async def ages(database: DatabaseService) -> list[int]:
    async with database.session() as session:
        found = (await session.exec(sa.select(MessageRow.timestamp).order_by(MessageRow.timestamp))).scalars().all()
    return [round((utc_now() - at).total_seconds() / DAY) for at in found]


async def test_the_oldest_go_first_and_no_more_than_a_batch(database: DatabaseService, alice: uuid.UUID) -> None:
    """DB-5: until nothing is left to delete."""
    await add_messages(database, alice, 1, 9, 5, 7, 2, 8)
    kept = [Retention(model=MessageRow, time="timestamp", seconds=4.5 * DAY)]
    assert await delete_old(database, kept, limit=3) == {"bedplate_message": 3}
    assert await ages(database) == [5, 2, 1]
    assert await delete_old(database, kept, limit=3) == {"bedplate_message": 1}
    assert await delete_old(database, kept, limit=3) == {"bedplate_message": 0}
    assert await ages(database) == [2, 1]


async def test_more_than_the_cap_are_deleted(database: DatabaseService, alice: uuid.UUID) -> None:
    """DB-5: the oldest, within the same batch; 0 is no limit."""
    await add_messages(database, alice, *range(10))
    assert await delete_old(database, [Retention(model=MessageRow, time="timestamp")]) == {"bedplate_message": 0}
    kept = [Retention(model=MessageRow, time="timestamp", seconds=7.5 * DAY, rows=5)]
    assert await delete_old(database, kept, limit=4) == {"bedplate_message": 4}
    assert await ages(database) == [5, 4, 3, 2, 1, 0]
    assert await delete_old(database, kept, limit=4) == {"bedplate_message": 1}
    assert await delete_old(database, kept, limit=4) == {"bedplate_message": 0}
    assert await ages(database) == [4, 3, 2, 1, 0]


def old_rows(user_id: uuid.UUID, flow_id: uuid.UUID, key_id: str, age: float) -> list[Table]:
    """A row of each table that grows, of that many days ago."""
    at = utc_now() - timedelta(days=age)
    trace = TraceRow(user_id=user_id, name="run", started_at=at, updated_at=at)
    variable = VariableRow(user_id=user_id, name=f"v{age}", value=b"x", type="Generic", key_id=key_id)
    return [
        message(user_id, at),
        trace,
        SpanRow(trace_id=trace.id, name="span", started_at=at),
        TransactionRow(user_id=user_id, flow_id=flow_id, vertex_id="v", timestamp=at, status="success"),
        VertexBuildRow(user_id=user_id, flow_id=flow_id, id="v", timestamp=at, valid=True),
        variable,
        VariableVersionRow(
            variable_id=variable.id,
            user_id=user_id,
            version=1,
            value=b"x",
            type="Generic",
            key_id=key_id,
            created_at=at,
        ),
    ]


GROWING = (MessageRow, TraceRow, SpanRow, TransactionRow, VertexBuildRow, VariableVersionRow)


@pytest.fixture
async def grown(container: ApplicationContainer, user: User) -> ApplicationContainer:
    """A container with rows of today, and of two years ago."""
    async with container.database().transaction() as session:
        folder = FolderRow(user_id=user.id, name="p")
        session.add(folder)
        await session.flush()
        flow = FlowRow(user_id=user.id, folder_id=folder.id, name="f")
        session.add(flow)
        await session.flush()
        for age in (0, 730):
            rows = old_rows(user.id, flow.id, container.keyring().key_id, age)
            for kind in (TraceRow, VariableRow):
                session.add_all([row for row in rows if isinstance(row, kind)])
                await session.flush()
            session.add_all(rows)
    return container


async def test_every_service_deletes_what_it_keeps_no_longer(grown: ApplicationContainer) -> None:
    """DB-5: by default, and nothing of today; what hangs on a row goes with it."""
    database = grown.database()
    assert [await count(database, model) for model in GROWING] == [2] * len(GROWING)
    deleted = {name: await grown.get(name).delete_old() for name in ("chat", "session", "tracing", "variable")}
    assert deleted == {"chat": 1, "session": 2, "tracing": 1, "variable": 1}
    assert [await count(database, model) for model in GROWING] == [1] * len(GROWING)
    assert not any([await grown.get(name).delete_old() for name in deleted])


async def test_each_limit_is_a_setting(grown: ApplicationContainer, user: User) -> None:
    """DB-5: 0 switches it off."""
    off: dict[str, Any] = {
        "chat": {"retention": 0, "max_messages": 0},
        "tracing": {"retention": 0, "max_runs": 1},
        "session": {"record_retention": 0},
        "variable": {"version_retention": 0},
    }
    values = grown.settings().values
    settings = SettingsService(profile="test", data_dir=values.data_dir, secret_key=values.secret_key, **off)
    await grown.shutdown_resources()
    with grown.settings.override(Singleton(lambda: settings)):
        async with grown.running():
            deleted = {name: await grown.get(name).delete_old() for name in off}
    assert deleted == {"chat": 0, "tracing": 1, "session": 0, "variable": 0}


@pytest.mark.parametrize("model", GROWING[:2] + GROWING[3:])
async def test_no_table_is_read_as_a_whole(database: DatabaseService, model: type[Table]) -> None:
    """DB-5: an index leads to what is old."""
    time = "started_at" if model is TraceRow else "created_at" if model is VariableVersionRow else "timestamp"
    table = model.__table__.name  # type: ignore[attr-defined]
    query = f"EXPLAIN QUERY PLAN SELECT rowid FROM {table} WHERE {time} < '2026' ORDER BY {time} LIMIT 10"
    async with database.session() as session:
        steps = [row[3] for row in (await (await session.connection()).exec_driver_sql(query)).all()]
    assert len(steps) == 1
    assert f"INDEX ix_{table}_{time}" in steps[0]


async def test_the_size_of_the_database_is_a_gauge(container: ApplicationContainer) -> None:
    """DB-5: for an alert before the disk is full."""
    text = container.telemetry().exposition().decode()
    (line,) = [line for line in text.splitlines() if line.startswith("bedplate_database_bytes ")]
    assert float(line.split()[1]) > 100_000


def test_the_command_deletes_all_of_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], migrated_database: Any,
    copied: Callable[[Any, Any], None],
) -> None:  # fmt: skip
    """DB-5: in small steps, while servers run."""
    monkeypatch.setenv("BEDPLATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("BEDPLATE_PROFILE", "test")
    copied(migrated_database, tmp_path / "data")
    assert run(("db", "prune")) == 0
    assert capsys.readouterr().out.splitlines() == [
        "chat: 0 deleted", "session: 0 deleted", "tracing: 0 deleted", "variable: 0 deleted",
    ]  # fmt: skip


@pytest.fixture
def copied() -> Callable[[Any, Any], None]:
    from bedplate.wiring.testing.database import copy_database

    return copy_database
