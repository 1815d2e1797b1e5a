"""``bedplate db``: upgrade, downgrade, current, check, revision."""

import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.database import revisions

HEAD = revisions.head()


def tables(folder: Path) -> set[str]:
    with sqlite3.connect(folder / "data" / "bedplate.db") as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return found


def test_upgrade_boots_nothing_but_the_database(bedplate: Callable[..., Any], folder: Path, started: list[str]) -> None:
    """The design card, DB-4: no secret key is made, no job recovered, no user created."""
    result = bedplate("db", "upgrade")
    assert (result.code, result.out) == (0, f"the database is at revision {HEAD}\n"), result.err
    assert set(started) <= {"SettingsService", "Redactor", "TelemetryService", "DatabaseService"}
    assert not (folder / "data" / "secret_key").exists()
    assert "bedplate_user" in tables(folder)
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700


def test_current_says_where_the_database_is_and_changes_nothing(bedplate: Callable[..., Any], folder: Path) -> None:
    """DB-4"""
    assert bedplate("db", "current").out == f"none (newest: {HEAD})\n"
    assert "bedplate_user" not in (tables(folder) if (folder / "data" / "bedplate.db").exists() else set())
    bedplate("db", "upgrade")
    assert bedplate("db", "current").out == f"{HEAD} (newest: {HEAD})\n"


def test_check_finds_tables_that_were_changed_by_hand(bedplate: Callable[..., Any], folder: Path) -> None:
    """DB-4"""
    bedplate("db", "upgrade")
    result = bedplate("db", "check")
    assert (result.code, result.out) == (0, "the tables are those of this release\n"), result.err
    with sqlite3.connect(folder / "data" / "bedplate.db") as connection:
        connection.execute("ALTER TABLE bedplate_user ADD COLUMN shoe_size INTEGER")
    connection.close()
    result = bedplate("db", "check")
    assert result.code == 1
    assert "shoe_size" in result.out


def test_downgrade_asks_first(bedplate: Callable[..., Any], typed: Callable[[str], None], folder: Path) -> None:
    """DB-4"""
    bedplate("db", "upgrade")
    typed("n\n")
    assert bedplate("db", "downgrade", "base").code == 1
    assert bedplate("db", "current").out.startswith(HEAD)
    typed("y\n")
    result = bedplate("db", "downgrade", "base")
    assert result.code == 0
    assert result.out.endswith("the database is at revision none\n")
    assert not [name for name in tables(folder) if name.startswith("bedplate_") and "version" not in name]
    assert bedplate("db", "upgrade").code == 0
    assert bedplate("db", "downgrade", "base", "--yes").code == 0


def test_revision_is_written_where_it_is_wanted(bedplate: Callable[..., Any], folder: Path) -> None:
    """DB-4"""
    bedplate("db", "upgrade")
    result = bedplate("db", "revision", "add a thing", "--folder", str(folder))
    assert result.code == 0, result.err
    path = Path(result.out.strip())
    assert path.parent == folder
    assert "add_a_thing" in path.name
    assert "def upgrade()" in path.read_text()


@pytest.mark.parametrize("args", [["upgrade", "9999"], ["downgrade", "nonsense", "--yes"]])
def test_revision_that_does_not_exist(args: list[str], bedplate: Callable[..., Any]) -> None:
    """DB-4"""
    bedplate("db", "upgrade")
    result = bedplate("db", *args)
    assert result.code in (1, 2)
    assert "fix:" in result.err
    assert "Traceback" not in result.err
    assert bedplate("db", "current").out.startswith(HEAD)


def test_database_that_is_none(bedplate: Callable[..., Any], folder: Path) -> None:
    """DB-6"""
    (folder / "data").mkdir()
    (folder / "data" / "bedplate.db").write_bytes(b"this is no database" * 100)
    result = bedplate("db", "current")
    assert result.code in (1, 2)
    assert "Error: database:" in result.err
    assert "Traceback" not in result.err


def test_backup_and_restore(bedplate: Callable[..., Any], folder: Path) -> None:
    """DB-7: into a file of its own by default, back with the old one kept, migrated at the next start."""
    assert bedplate("db", "upgrade", "0005").code == 0
    made = bedplate("db", "backup")
    assert made.code == 0, made.err
    (copy,) = (folder / "data" / "backups").iterdir()
    assert made.out.startswith(f"{copy} holds the database at revision 0005, ")
    assert bedplate("db", "backup", str(copy)).code == 1
    assert bedplate("db", "upgrade").code == 0
    restored = bedplate("db", "restore", str(copy), "--yes")
    assert restored.code == 0, restored.err
    lines = restored.out.splitlines()
    assert lines[0] == f"the database is that of {copy}, at revision 0005"
    kept = Path(lines[1].removeprefix("what it was before is in "))
    assert lines[2] == "the next start migrates it"
    assert bedplate("db", "current").out.startswith("0005 ")
    assert bedplate("db", "restore", str(kept), "--yes").out.count("\n") == 2
    assert bedplate("db", "check").code == 0


def test_a_backup_that_is_none_is_told_as_what_why_and_fix(bedplate: Callable[..., Any], folder: Path) -> None:
    """DB-7"""
    bedplate("db", "upgrade")
    (folder / "copy.db").write_text("a letter")
    result = bedplate("db", "restore", "copy.db", "--yes")
    assert result.code == 1
    assert "is no backup that can be used: it is no SQLite database" in result.err
    assert "fix: use another backup" in result.err
