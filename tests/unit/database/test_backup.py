"""Backups: whole, checked, made while others write; restored all at once, or not at all (DB-7)."""

import asyncio
import errno
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import select

from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import (
    BackupExistsError,
    BackupInvalidError,
    BackupUnsupportedError,
    DatabaseFullError,
    DatabaseInUseError,
    DatabaseReadOnlyError,
    DatabaseUnreachableError,
    SchemaAheadError,
    UnknownRevisionError,
)
from bedplate.services.database.models import UserRow
from bedplate.services.database.revisions import head
from bedplate.services.database.sqlite import backup as backup_module

MakeDatabase = Callable[..., DatabaseService]


async def add(database: DatabaseService, *names: str) -> None:
    async with database.transaction() as session:
        session.add_all([UserRow(username=name, username_key=name, password_hash="x") for name in names])


async def names(database: DatabaseService) -> list[str]:
    async with database.session() as session:
        return sorted((await session.exec(select(UserRow.username))).all())


def in_file(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        found = [row[0] for row in connection.execute("SELECT username FROM bedplate_user ORDER BY username")]
    connection.close()
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of the database."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def file(home: Path) -> Path:
    """The file of the database."""
    return home / "bedplate.db"


@pytest.fixture
async def database(make_database: MakeDatabase, migrated_database: Path, file: Path) -> DatabaseService:
    shutil.copyfile(migrated_database, file)
    made = make_database()
    await made.start()
    await add(made, "ada")
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def remove(path: Path) -> None:
    path.unlink()


def opened_elsewhere(file: Path) -> "subprocess.Popen[bytes]":
    """A process that has the database open, and does nothing."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA journal_mode=WAL');"
        "c.execute('SELECT count(*) FROM bedplate_user').fetchall(); print('open', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    return process


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_backup_is_the_database_of_a_moment_in_one_file(database: DatabaseService, home: Path) -> None:
    """DB-7: what is only in the log too; for its owner alone; the database goes on."""
    target = home / "made" / "here" / "copy.db"
    made = await database.backups.create(target)
    await add(database, "bob")
    assert (made.path, made.size, made.revision) == (target, target.stat().st_size, head())
    assert in_file(target) == ["ada"]
    assert entries(target.parent) == {"copy.db"}
    assert mode(target) == 0o600
    assert await database.backups.check(target) == made
    assert await names(database) == ["ada", "bob"]


async def test_a_backup_made_while_others_write_is_consistent(
    database: DatabaseService, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DB-7: of one moment, and finished however much is written: a writer neither waits nor makes it begin anew."""
    await add(database, *(f"user{number}" for number in range(3000)))
    monkeypatch.setattr(backup_module, "_PAGES", 1)
    copying = backup_module.Copying(database._backend.location)
    loop, steps = asyncio.get_running_loop(), 0

    def write_between(*_progress: int) -> None:
        nonlocal steps
        steps += 1
        if steps % 10 == 0:
            both = asyncio.run_coroutine_threadsafe(add(database, f"left{steps}", f"right{steps}"), loop)
            both.result(30)

    monkeypatch.setattr(copying, "_go_on", write_between)
    await asyncio.to_thread(copying.backup, home / "copy.db")
    assert steps > 50
    found = in_file(home / "copy.db")
    assert len(found) == 3001
    assert len(await names(database)) > 3001


async def test_a_backup_is_restored_and_the_old_file_kept(
    database: DatabaseService, make_database: MakeDatabase, home: Path, file: Path
) -> None:
    """DB-7"""
    await database.backups.create(home / "copy.db")
    await add(database, "bob")
    await database.stop()
    restored, kept = await database.backups.restore(home / "copy.db")
    assert restored.revision == head()
    assert kept is not None
    assert in_file(kept) == ["ada", "bob"]
    await database.start()
    assert await names(database) == ["ada"]
    await add(database, "eve")
    await database.stop()
    assert in_file(home / "copy.db") == ["ada"]
    _, again = await database.backups.restore(kept)
    assert again != kept
    assert in_file(file) == ["ada", "bob"]
    assert mode(file) == 0o600


async def test_a_backup_is_restored_where_there_is_no_database(
    database: DatabaseService, home: Path, file: Path
) -> None:
    """DB-7: and where the one that there is has been damaged."""
    await database.backups.create(home / "copy.db")
    await database.stop()
    remove(file)
    assert (await database.backups.restore(home / "copy.db"))[1] is None
    assert in_file(file) == ["ada"]
    overwrite(file, b"not a database any more" * 1000)
    _, kept = await database.backups.restore(home / "copy.db")
    assert kept is not None
    assert content_of(kept).startswith(b"not a database")
    assert in_file(file) == ["ada"]
    await database.start()
    assert await names(database) == ["ada"]


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_database_in_use_is_not_restored(
    database: DatabaseService, home: Path, file: Path, elsewhere: bool
) -> None:
    """DB-7: by this process or another one, however idle it is; nothing is changed, and it goes on."""
    await database.backups.create(home / "copy.db")
    await add(database, "bob")
    process = None
    if elsewhere:
        await database.stop()
        process = opened_elsewhere(file)
    before = entries(home)
    try:
        with pytest.raises(DatabaseInUseError, match="stop every server"):
            await database.backups.restore(home / "copy.db")
    finally:
        if process is not None:
            process.communicate()
    assert {name for name in entries(home) if "restore" in name or "partial" in name} == set()
    assert before - entries(home) <= {"bedplate.db-wal", "bedplate.db-shm"}
    if not elsewhere:
        await add(database, "eve")
        assert await names(database) == ["ada", "bob", "eve"]
        await database.stop()
    assert "bob" in in_file(file)


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def one_byte_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x" * 4096)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_bytes(b"SQLite format 2, or so" * 500)


def header_only(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def scrambled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(bytes(content))


def missing(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def execute(*statements: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA foreign_keys=OFF")
        for statement in statements:
            connection.execute(statement)
        connection.close()

    return change


foreign = execute("DROP TABLE bedplate_alembic_version")
newer = execute("UPDATE bedplate_alembic_version SET version_num = '9999'")
unknown = execute("UPDATE bedplate_alembic_version SET version_num = 'abc'")
orphaned = execute(
    "INSERT INTO bedplate_folder (id, user_id, name, created_at, updated_at) "
    "VALUES ('0', 'nobody', 'n', '2026-01-01', '2026-01-01')"
)


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (truncated, BackupInvalidError), (one_byte_short, BackupInvalidError), (longer, BackupInvalidError),
        (empty, BackupInvalidError), (text, BackupInvalidError), (header_only, BackupInvalidError),
        (scrambled, BackupInvalidError), (missing, BackupInvalidError), (folder, BackupInvalidError),
        (foreign, BackupInvalidError), (newer, SchemaAheadError), (unknown, UnknownRevisionError),
        (orphaned, BackupInvalidError),
    ],
)  # fmt: skip
async def test_a_backup_that_is_none_is_refused(
    database: DatabaseService, home: Path, file: Path, spoil: Callable[[Path], None], error: type[Exception]
) -> None:
    """DB-7: cut off, damaged, somebody else's or of a newer release: with a typed error, and nothing is changed."""
    copy = home / "copy.db"
    await database.backups.create(copy)
    await add(database, "bob")
    await database.stop()
    spoil(copy)
    before, content = entries(home), content_of(file)
    for work in (database.backups.check(copy), database.backups.restore(copy)):
        with pytest.raises(error) as caught:
            await work
        assert caught.value.fix
    assert entries(home) == before
    assert content_of(file) == content


async def test_an_older_backup_is_migrated_at_the_next_start(make_database: MakeDatabase, home: Path) -> None:
    """DB-7, DB-4"""
    old = make_database(migrate=False)
    await old.migrations.upgrade("0005")
    assert (await old.backups.create(home / "copy.db")).revision == "0005"
    await old.migrations.upgrade()
    restored, _ = await old.backups.restore(home / "copy.db")
    assert restored.revision == "0005"
    new = make_database()
    await new.start()
    assert await new.migrations.current() == head()


async def test_a_file_is_never_overwritten(database: DatabaseService, home: Path) -> None:
    """DB-7: not even one that appears while the backup is being made."""
    target = home / "copy.db"
    target.write_text("precious")
    with pytest.raises(BackupExistsError):
        await database.backups.create(target)
    assert target.read_text() == "precious"
    assert not [name for name in entries(home) if "partial" in name]


async def test_what_there_is_not_is_not_backed_up(make_database: MakeDatabase, home: Path) -> None:
    """DB-7: no file is made of nothing, and none of an empty one."""
    for database in (make_database(), make_database(url="sqlite://")):
        with pytest.raises(DatabaseUnreachableError, match="nothing to back up"):
            await database.backups.create(home / "copy.db")
    with pytest.raises(DatabaseInUseError):
        await make_database(url="sqlite://").backups.restore(home / "copy.db")
    (home / "bedplate.db").write_bytes(b"")
    with pytest.raises(BackupInvalidError, match="is no "):
        await make_database().backups.create(home / "copy.db")
    assert not (home / "copy.db").exists()


async def test_a_full_disk_leaves_nothing_behind(
    database: DatabaseService, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DB-7: nor does a folder that cannot be written."""
    await database.backups.create(home / "copy.db")
    await database.stop()

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = entries(home)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(DatabaseFullError, match="free space"):
            await database.backups.restore(home / "copy.db")
        patch.setattr(backup_module, "publish", full)
        with pytest.raises(DatabaseFullError):
            await database.backups.create(home / "other.db")
    (home / "file").write_text("")
    with pytest.raises(DatabaseReadOnlyError):
        await database.backups.create(home / "file" / "copy.db")
    assert entries(home) - before <= {"file", "bedplate.db-wal", "bedplate.db-shm"}


@pytest.mark.parametrize("operation", ["create", "restore"])
async def test_cancelled_half_way_it_leaves_nothing_behind(
    database: DatabaseService, home: Path, file: Path, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """DB-7: the caller goes on when the thread has ended, and everything is as it was."""
    copy = home / "copy.db"
    await add(database, *(f"user{number}" for number in range(500)))
    if operation == "restore":
        await database.backups.create(copy)
        await database.stop()
    loop, reached = asyncio.get_running_loop(), asyncio.Event()
    check = backup_module.Copying.check

    def slowly(self: backup_module.Copying, path: Path) -> object:
        loop.call_soon_threadsafe(reached.set)
        assert self._interrupted.wait(30)
        return check(self, path)

    monkeypatch.setattr(backup_module.Copying, "check", slowly)
    before = entries(home)
    work = database.backups.create(copy) if operation == "create" else database.backups.restore(copy)
    task = asyncio.create_task(work)
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert entries(home) - before <= {"bedplate.db-wal", "bedplate.db-shm"}
    if operation == "create":
        assert not copy.exists()
        await database.stop()
    assert len(in_file(file)) == 501


async def test_an_applications_own_tables_are_in_it(database: DatabaseService, home: Path, file: Path) -> None:
    """DB-3, DB-7: in one file with an application, the backup is of both; what its rows refer to is its own affair."""
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE mine (id INTEGER PRIMARY KEY, other REFERENCES mine(id))"))
        connection.execute(sa.text("INSERT INTO mine VALUES (1, 7)"))
    engine.dispose()
    await database.backups.create(home / "copy.db")
    await database.stop()
    await database.backups.restore(home / "copy.db")
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM mine")).scalar() == 1
    engine.dispose()


async def test_a_database_with_tools_of_its_own_names_them(make_database: MakeDatabase, home: Path) -> None:
    """DB-7: nothing is connected to, and nothing is written."""
    pytest.importorskip("psycopg")
    backups = make_database(backend="postgres", url="postgresql://ada:secret@127.0.0.1:1/bedplate").backups
    for work in (backups.create(home / "copy"), backups.check(home / "copy"), backups.restore(home / "copy")):
        with pytest.raises(BackupUnsupportedError, match=r"pg_(dump|restore)"):
            await work
    assert entries(home) == set()
