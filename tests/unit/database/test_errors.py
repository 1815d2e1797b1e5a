"""Every bad state of database and disk: a typed error with the fix, at start and in the middle, and nothing lost."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from bedplate.services.database import DatabaseService
from bedplate.services.database.backend import leased
from bedplate.services.database.errors import (
    DatabaseCorruptError,
    DatabaseFullError,
    DatabaseLockedError,
    DatabaseReadOnlyError,
    DatabaseUnreachableError,
    ForeignKeyViolationError,
    SchemaError,
    TransactionLostError,
    UniqueViolationError,
)
from bedplate.services.database.models import ApiKeyRow, UserRow, new_id
from bedplate.services.database.violations import violations
from bedplate.services.errors import BedplateError, ConflictError, UnavailableError
from bedplate.services.health import HealthStatus
from bedplate.wiring.testing.disk import no_file_larger_than

Row = Callable[[str], UserRow]


def url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


async def stored(database: DatabaseService) -> int:
    async with database.session() as session:
        return len((await session.exec(select(UserRow.id))).all())


async def test_a_folder_instead_of_a_file(make_database, tmp_path: Path) -> None:
    """DB-1: named as such."""
    with pytest.raises(DatabaseUnreachableError, match=rf"{tmp_path} is a folder.*BEDPLATE_DATABASE__URL"):
        await make_database(url=url(tmp_path)).start()


async def test_a_folder_that_is_missing(make_database, tmp_path: Path) -> None:
    """DB-1: a path that was given is not made by guessing."""
    with pytest.raises(DatabaseUnreachableError, match=r"the folder .*/no/such does not exist"):
        await make_database(url=url(tmp_path / "no" / "such" / "file.db")).start()


async def test_a_file_that_is_not_a_database(make_database, tmp_path: Path) -> None:
    """DB-1: it is refused, and left as it is."""
    file = tmp_path / "notes.txt"
    file.write_text("my notes, not a database\n" * 100)
    with pytest.raises(DatabaseCorruptError, match=r"notes\.txt.*SQLITE_NOTADB"):
        await make_database(url=url(file)).start()
    assert file.read_text().startswith("my notes")


async def test_a_damaged_file(database: DatabaseService, settings, row: Row) -> None:
    """DB-1: found when the damaged part is read; the text of the error carries no row."""
    async with database.transaction() as session:
        session.add_all([row(f"user-{number:04}-{'x' * 200}") for number in range(200)])
    await database.stop()
    file = settings.values.data_dir / "bedplate.db"
    content = bytearray(file.read_bytes())
    content[-20_000:] = b"\xa5" * 20_000
    file.write_bytes(content)
    await database.start()
    with pytest.raises(DatabaseCorruptError, match="restore it from a backup"):
        async with database.session() as session:
            await session.exec(select(UserRow))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a file system takes a privilege that this user has not")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(disk: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


async def test_a_full_disk(make_database, disk: Path, migrated_database: Path, row: Row) -> None:
    """DB-1: a real one: the transaction that meets it fails whole, what was stored stays, and space given is used."""
    file = disk / "small.db"
    shutil.copyfile(migrated_database, file)
    database = make_database(url=url(file))
    await database.start()
    async with database.transaction() as session:
        session.add(row("before"))
    with pytest.raises(DatabaseFullError, match=f"free space in {disk}"):
        async with database.transaction() as session:
            for number in range(100):
                session.add(row(f"{number}-{'x' * 10_000}"))
                await session.flush()
    assert await stored(database) == 1
    remount(disk, "size=8m")
    async with database.transaction() as session:
        session.add(row("after"))
    assert await stored(database) == 2


async def test_a_disk_that_is_full_at_start(make_database, disk: Path) -> None:
    """DB-1: the migrations do not fit."""
    (disk / "ballast").write_bytes(b"x" * (960 << 10))
    with pytest.raises(DatabaseFullError, match="no space is left"):
        await make_database(url=url(disk / "small.db")).start()


async def test_a_folder_that_cannot_be_written(make_database, disk: Path, migrated_database: Path) -> None:
    """DB-1: with and without a database in it."""
    shutil.copyfile(migrated_database, disk / "there.db")
    remount(disk, "ro")
    for name in ("there.db", "new.db"):
        with pytest.raises((DatabaseReadOnlyError, DatabaseUnreachableError), match="the right to"):
            await make_database(url=url(disk / name)).start()


async def test_a_file_opened_for_reading_only(make_database, tmp_path: Path, migrated_database: Path) -> None:
    """DB-1: by the URL's own wish: refused at start, not at the first write."""
    file = tmp_path / "there.db"
    shutil.copyfile(migrated_database, file)
    with pytest.raises(DatabaseReadOnlyError, match="cannot be written"):
        await make_database(url=f"sqlite+aiosqlite:///file:{file}?mode=ro&uri=true").start()


async def test_a_file_without_permission(make_database, tmp_path: Path, migrated_database: Path) -> None:
    """DB-1: unreadable for the user of the process."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    file = tmp_path / "there.db"
    shutil.copyfile(migrated_database, file)
    file.chmod(0)
    with pytest.raises(DatabaseUnreachableError, match="the right to read and write"):
        await make_database(url=url(file)).start()


async def _limit_pages(database: DatabaseService, more: int) -> None:
    """Let the file grow by so many pages: SQLite then reports a full disk."""
    lease = await database._backend._pools.writers.lease()
    try:
        driver = lease.driver
        pages = await driver.run(lambda: driver._conn.execute("PRAGMA page_count").fetchone()[0])
        await driver.run(lambda: driver._conn.execute(f"PRAGMA max_page_count={pages + more}").fetchall())
    finally:
        await lease.end()


async def test_a_full_disk_without_privileges(embedded: DatabaseService, row: Row) -> None:
    """DB-1: by SQLite's own limit of pages, on disk and in memory."""
    async with embedded.transaction() as session:
        session.add(row("before"))
    await _limit_pages(embedded, 2)
    with pytest.raises(DatabaseFullError):
        async with embedded.transaction() as session:
            session.add(row("x" * 100_000))
    assert await stored(embedded) == 1
    await _limit_pages(embedded, 1000)
    async with embedded.transaction() as session:
        session.add(row("x" * 100_000))
    assert await stored(embedded) == 2


async def test_a_full_disk_inside_inner_transactions_is_said(embedded: DatabaseService, row: Row) -> None:
    """DB-2: the first error is told, not the rollback of the savepoint that could not follow it."""
    await _limit_pages(embedded, 2)
    with pytest.raises(DatabaseFullError):
        async with embedded.transaction(), embedded.transaction(), embedded.transaction() as session:
            session.add(row("x" * 100_000))
            await session.flush()
    assert await stored(embedded) == 0


async def test_a_disk_that_is_full_at_the_commit(database: DatabaseService, settings, row: Row) -> None:
    """DB-1: where a row waits in memory till then; the connection is as good as before when there is space again."""
    async with database.transaction() as session:
        session.add(row("before"))
    log = settings.values.data_dir / "bedplate.db-wal"
    with no_file_larger_than(log.stat().st_size):
        for _ in range(2):
            with pytest.raises(UnavailableError):
                async with database.transaction() as session:
                    session.add(row("lost"))
    assert await stored(database) == 1
    async with database.transaction() as session:
        session.add(row("after"))
    assert await stored(database) == 2


async def test_nothing_is_stored_after_a_full_disk_that_the_caller_ignored(embedded: DatabaseService, row: Row) -> None:
    """DB-2: SQLite has ended the transaction by then; going on in it would store each row on its own."""
    await _limit_pages(embedded, 2)
    with pytest.raises((TransactionLostError, DatabaseFullError)):
        async with embedded.transaction() as outer:
            outer.add(row("before"))
            await outer.flush()
            with pytest.raises(DatabaseFullError):
                async with embedded.transaction() as inner:
                    inner.add(row("x" * 100_000))
            outer.add(row("after"))
    assert await stored(embedded) == 0


@pytest.fixture
def lock(settings) -> Iterator[Callable[[], sqlite3.Connection]]:
    """Another connection that takes the write lock, as a backup or a shell would."""
    taken = []

    def take() -> sqlite3.Connection:
        connection = sqlite3.connect(settings.values.data_dir / "bedplate.db", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        taken.append(connection)
        return connection

    yield take
    for connection in taken:
        connection.close()


async def test_a_lock_held_too_long(make_database, settings, lock, row: Row) -> None:
    """DB-1: in the middle of work: readers go on, the writer gets an error that names the setting, then works again."""
    database = make_database(url=url(settings.values.data_dir / "bedplate.db"), busy_timeout=0.2)
    await database.start()
    other = lock()
    with pytest.raises(DatabaseLockedError, match=r"0\.2 s.*BEDPLATE_DATABASE__BUSY_TIMEOUT"):
        async with database.transaction():
            pass
    assert await stored(database) == 0
    other.execute("ROLLBACK")
    async with database.transaction() as session:
        session.add(row("ada"))
    assert await stored(database) == 1


async def test_a_lock_at_start(make_database, settings, lock) -> None:
    """DB-1: a database that another process is busy with does not start, and says why."""
    lock()
    database = make_database(url=url(settings.values.data_dir / "bedplate.db"), busy_timeout=0.2)
    with pytest.raises(DatabaseLockedError):
        await database.start()
    assert not database.started
    assert not database._backend.is_open


async def test_a_missing_table(database: DatabaseService) -> None:
    """DB-4: dropped by hand under a running service."""
    async with database.transaction() as session:
        await (await session.connection()).exec_driver_sql("DROP TABLE bedplate_user")
    with pytest.raises(SchemaError, match="bedplate db upgrade"):
        await stored(database)


async def test_health_tells_that_the_database_is_gone(make_database, tmp_path: Path, migrated_database: Path) -> None:
    """ALL-1: up with a latency; then down, with the reason."""
    file = tmp_path / "there.db"
    shutil.copyfile(migrated_database, file)
    database = make_database(url=url(file))
    await database.start()
    health = await database.health()
    assert health.status is HealthStatus.UP
    assert health.latency_ms > 0
    await database._backend.close()
    health = await database.health()
    assert health.status is HealthStatus.DOWN
    assert "closed" in (health.reason or "")


async def test_health_under_full_load_is_degraded(make_database, monkeypatch: pytest.MonkeyPatch) -> None:
    """ALL-1: with every connection in use, health does not wait as long as others would."""
    monkeypatch.setattr("bedplate.services.database.service._CHECK_TIMEOUT", 0.01)
    database = make_database(pool_size=1)
    await database.start()
    async with leased(database._backend.read()):
        health = await database.health()
    assert health.status is HealthStatus.DEGRADED
    assert "no answer within" in (health.reason or "")
    monkeypatch.undo()
    assert (await database.health()).status is HealthStatus.UP


async def test_errors_are_counted(make_database, settings, lock) -> None:
    """TEL-2: by their code."""
    database = make_database(url=url(settings.values.data_dir / "bedplate.db"), busy_timeout=0.05)
    await database.start()
    lock()
    with pytest.raises(DatabaseLockedError):
        async with database.transaction():
            pass
    assert database._failed._child({"code": "database_locked"})._value.get() == 1


@pytest.mark.parametrize("name", ["UniqueViolationError", "ForeignKeyViolationError"])
def test_violations_are_conflicts(name: str) -> None:
    """ALL-3: they have their place in the tree of errors."""
    from bedplate.services.database import errors

    assert issubclass(getattr(errors, name), ConflictError)


async def test_a_unique_violation_names_table_and_columns(either: DatabaseService, row: Row) -> None:
    """DB-6: and leaves an outer transaction usable."""
    async with either.transaction() as session:
        session.add(row("ada"))
        await session.flush()
        with pytest.raises(UniqueViolationError, match="bedplate_user has a row with the same username_key") as caught:
            async with either.transaction() as inner:
                with violations():
                    inner.add(row("ada"))
                    await inner.flush()
    assert caught.value.table == "bedplate_user"
    assert caught.value.columns == ("username_key",)
    assert await stored(either) == 1


async def test_a_foreign_key_violation_names_the_table(either: DatabaseService) -> None:
    """DB-1: foreign keys are enforced; DB-6: the error says where."""
    key = ApiKeyRow(user_id=new_id(), prefix="bp", length=40, key_hash="h")
    with pytest.raises(ForeignKeyViolationError) as caught:
        async with either.transaction() as session:
            with violations():
                session.add(key)
                await session.flush()
    assert caught.value.table == "bedplate_api_key"
    assert caught.value.columns == ("user_id",)
    assert "by user_id" in str(caught.value)


async def test_each_error_of_the_database_says_where_and_which_setting(
    make_database, settings, lock, tmp_path: Path, row: Row
) -> None:
    """DB-6: unique and foreign key with table and column, lock, timeout and unreachable with place and setting."""
    busy = make_database(busy_timeout=0.05, url=url(settings.values.data_dir / "bedplate.db"))
    with lock(), pytest.raises(DatabaseLockedError) as locked:
        await busy.start()
        async with busy.transaction() as session:
            session.add(row("late"))
    assert str(settings.values.data_dir / "bedplate.db") in str(locked.value)
    assert "BEDPLATE_DATABASE__BUSY_TIMEOUT" in str(locked.value)
    with pytest.raises(DatabaseUnreachableError) as unreachable:
        await make_database(url=url(tmp_path / "missing" / "x.db")).start()
    assert str(tmp_path / "missing") in str(unreachable.value)
    assert "BEDPLATE_DATABASE__URL" in str(unreachable.value)


async def test_other_violations_stay_what_they_are(either: DatabaseService) -> None:
    """DB-6: a missing value is a mistake of the code, not a conflict."""
    with pytest.raises(IntegrityError, match=r"(?i)not.null"):
        async with either.transaction() as session:
            with violations():
                session.add(UserRow(username="ada", username_key="ada"))
                await session.flush()


def test_codes_are_unique() -> None:
    """ALL-3: one code for one kind of error."""
    from bedplate.services.database import errors

    kinds = [getattr(errors, name) for name in errors.__all__]
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert all(issubclass(kind, BedplateError) for kind in kinds)
    assert issubclass(DatabaseLockedError, UnavailableError)
