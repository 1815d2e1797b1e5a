"""The history of revisions: it agrees with the models, upward and downward, and keeps what is stored."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import select

from bedplate.services.database import DatabaseService
from bedplate.services.database.backend import leased
from bedplate.services.database.errors import SchemaError
from bedplate.services.database.models import FlowRow, FolderRow, MessageRow, UserRow, metadata
from bedplate.services.database.revisions import VERSION_TABLE, head, known_revisions

SEARCH = "bedplate_message_search"
"""The full-text index, which no model describes."""


async def tables(database: DatabaseService) -> set[str]:
    async with database.session() as session:
        connection = await session.connection()
        names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        return {name for name in names if not name.startswith(SEARCH)}


def schema(connection: sa.Connection) -> dict[str, object]:
    """Everything that SQLite knows of Bedplate's tables, in an order of its own."""
    inspector = sa.inspect(connection)
    return {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)],
            inspector.get_pk_constraint(name),
            sorted(map(str, inspector.get_foreign_keys(name))),
            sorted(map(str, inspector.get_indexes(name))),
            sorted(map(str, inspector.get_unique_constraints(name))),
        )
        for name in inspector.get_table_names()
        if name != VERSION_TABLE and not name.startswith(SEARCH)
    }


async def test_models_and_migrations_agree(make_database) -> None:
    """DB-4: after all revisions, nothing is left to do, by Alembic's comparison and by that of the schemas."""
    migrated = make_database()
    await migrated.start()
    assert await migrated.migrations.check() == []
    assert await tables(migrated) == set(metadata.tables) | {VERSION_TABLE}

    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        metadata.create_all(connection)
        expected = schema(connection)
    engine.dispose()
    async with migrated.session() as session:
        assert await (await session.connection()).run_sync(schema) == expected


async def test_every_revision_goes_up_and_down(make_database) -> None:
    """DB-4: one at a time, and what went down is as if it had never been."""
    database = make_database(migrate=False)
    migrations = database.migrations
    await migrations.upgrade(known_revisions()[0])
    await database._backend.open()
    seen = []
    for revision in known_revisions():
        await migrations.upgrade(revision)
        assert await migrations.current() == revision
        seen.append(await _schema_of_backend(database))
    for revision, expected in reversed(list(zip(known_revisions(), seen, strict=True))):
        assert await migrations.current() == revision
        assert await _schema_of_backend(database) == expected
        await migrations.downgrade("-1")
    assert await migrations.current() is None
    assert await _schema_of_backend(database) == {VERSION_TABLE}
    await migrations.upgrade()
    assert await migrations.current() == head()
    assert await _schema_of_backend(database) == seen[-1]


async def _schema_of_backend(database: DatabaseService) -> set[str]:
    async with leased(database._backend.read()) as connection:
        return set(await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()))


async def test_what_is_stored_survives_down_and_up_again(make_database) -> None:
    """DB-4: revisions that do not concern a table leave its rows alone."""
    database = make_database(migrated=True)
    await database.start()
    async with database.transaction() as session:
        user = UserRow(username="ada", username_key="ada", password_hash="x")
        session.add(user)
        await session.flush()
        folder = FolderRow(user_id=user.id, name="project")
        session.add(folder)
        await session.flush()
        flow = FlowRow(user_id=user.id, folder_id=folder.id, name="flow", data={"nodes": [], "edges": []})
        session.add(flow)
        await session.flush()
        session.add(MessageRow(user_id=user.id, flow_id=flow.id, session_id="s", sender="User", sender_name="Ada"))
    await database.migrations.downgrade("0003")
    assert "bedplate_message" not in await tables(database)
    await database.migrations.upgrade()
    async with database.session() as session:
        assert (await session.exec(select(FlowRow))).one().data == {"nodes": [], "edges": []}
        assert (await session.exec(select(UserRow))).one().username == "ada"
        assert (await session.exec(select(MessageRow))).all() == []


def test_files_and_revisions_have_the_same_numbers() -> None:
    """DB-4: the head that the start compares with comes from the names of the files; they must not lie."""
    folder = Path(__file__).parents[2] / "migrations" / "versions"
    before = None
    for file in sorted(folder.glob("[0-9]*.py")):
        text = file.read_text()
        assert re.search(r'^revision = "(.+)"$', text, re.MULTILINE).group(1) == file.name[:4]
        down = re.search(r"^down_revision = (.+)$", text, re.MULTILINE).group(1)
        assert down == (f'"{before}"' if before else "None")
        before = file.name[:4]
    assert before == head()


async def test_check_names_each_difference(make_database) -> None:
    """DB-4: tables that were changed by hand."""
    database = make_database(migrated=True)
    await database.start()
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("DROP INDEX ix_bedplate_user_created_at")
        await connection.exec_driver_sql("ALTER TABLE bedplate_user ADD COLUMN nickname VARCHAR")
    found = await database.migrations.check()
    assert len(found) == 1
    assert "create_index" in found[0]
    assert "drop_column('nickname')" in found[0]


async def test_a_new_revision_holds_the_difference(make_database, tmp_path: Path) -> None:
    """DB-4: written from the models, with the next number, free of names that may change."""
    database = make_database(migrated=True)
    await database.start()
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.exec_driver_sql("DROP TABLE bedplate_setup_token")
    path = await database.migrations.revision("Bring the token back", folder=tmp_path)
    assert path == tmp_path / f"{int(head()) + 1:04}_bring_the_token_back.py"
    text = path.read_text()
    compile(text, str(path), "exec")
    assert f"down_revision = {head()!r}" in text
    assert "op.create_table('bedplate_setup_token'" in text
    assert "sa.DateTime(timezone=True)" in text
    assert "sqlmodel" not in text
    assert "bedplate.services" not in text


async def test_a_revision_needs_a_database_at_head(make_database, tmp_path: Path) -> None:
    """DB-4: otherwise the difference would be that of the revisions that have not run."""
    migrations = make_database().migrations
    await migrations.upgrade("0002")
    with pytest.raises(SchemaError, match="not up to date"):
        await migrations.revision("x", folder=tmp_path)


async def test_an_unknown_target_is_refused(make_database) -> None:
    """DB-4: by name, and nothing changes."""
    migrations = make_database().migrations
    with pytest.raises(SchemaError, match="nonsense"):
        await migrations.upgrade("nonsense")
    assert await migrations.current() is None


async def test_the_commands_work_without_a_started_service_and_leave_nothing_open(make_database) -> None:
    """DB-4: what the command line does."""
    database = make_database()
    assert await database.migrations.current() is None
    await database.migrations.upgrade()
    assert await database.migrations.current() == database.migrations.head == head()
    assert await database.migrations.check() == []
    await database.migrations.downgrade("0001")
    assert await database.migrations.current() == "0001"
    assert not database._backend.is_open
    assert not database.started
