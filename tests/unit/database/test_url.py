"""The database URL: what is wrong with it is said at start, without its password."""

import os
from pathlib import Path

import pytest

from bedplate.services.database.errors import DatabaseURLError


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("not a url", "cannot be read"),
        ("data/bedplate.db", "cannot be read"),
        ("postgresql://ada:hunter2@db:port/x", "cannot be read"),
        ("mysql://ada:hunter2@db/x", "no backend for 'mysql'"),
        ("sqlite+pysqlcipher://:hunter2@/x.db", "no backend for 'sqlite\\+pysqlcipher'"),
        ("postgresql://ada:hunter2@db/x?password=hunter2", "the backend is SQLite.*BACKEND=postgres"),
        ("postgresql+psycopg://ada:hunter2@db/x", "the backend is SQLite.*BACKEND=postgres"),
        ("postgres://ada:hunter2@db/x", "the backend is SQLite.*BACKEND=postgres"),
        ("sqlite://ada:hunter2@host/x.db", "names a file, not a server"),
        ("sqlite+aiosqlite:///x.db?timeout=5", "not supported: timeout.*BUSY_TIMEOUT"),
        ("sqlite+aiosqlite:///file:x.db?uri=true&cache=shared", "not supported: cache"),
    ],
)
async def test_a_url_that_cannot_be_used(make_database, url: str, said: str) -> None:
    """DB-1: a typed error that names the setting and the fix; no password in it."""
    database = make_database(url=url)
    with pytest.raises(DatabaseURLError, match=said) as caught:
        await database.start()
    assert "BEDPLATE_DATABASE__URL" in str(caught.value)
    assert caught.value.fix
    assert "hunter2" not in str(caught.value)
    assert not database.started


async def test_a_schema_is_refused_on_sqlite(make_database) -> None:
    """DB-3: tables have a prefix there."""
    with pytest.raises(DatabaseURLError, match=r"SQLite has no schemas.*BEDPLATE_DATABASE__DB_SCHEMA"):
        await make_database(db_schema="bedplate").start()


@pytest.mark.parametrize(
    "url", ["sqlite:///{}/a b.db", "sqlite+pysqlite:///{}/a b.db", "sqlite+aiosqlite:///file:{}/a b.db?uri=true"]
)
async def test_urls_of_a_file(make_database, tmp_path: Path, url: str) -> None:
    """DB-1: any of SQLite's own forms."""
    database = make_database(url=url.format(tmp_path))
    await database.start()
    assert (tmp_path / "a b.db").stat().st_size > 0


@pytest.mark.parametrize("url", ["sqlite://", "sqlite+aiosqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
async def test_urls_of_a_database_in_memory(make_database, tmp_path: Path, url: str) -> None:
    """DB-1: nothing is written."""
    database = make_database(url=url)
    await database.start()
    assert await database.migrations.current() == database.migrations.head
    assert not [name for _, _, names in os.walk(tmp_path) for name in names]


async def test_the_default_is_a_file_in_the_data_directory(make_database, tmp_path: Path) -> None:
    """DB-1: never in the package's folder."""
    await make_database().start()
    assert (tmp_path / "data" / "bedplate.db").exists()
