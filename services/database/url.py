"""The database URL: where it comes from, and what may stand in it."""

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from bedplate.services.database.errors import DatabaseURLError
from bedplate.services.settings import SettingsService

__all__ = ["SETTING", "database_url", "postgres_url"]

SETTING = "BEDPLATE_DATABASE__URL"

_EXAMPLE = "sqlite+aiosqlite:////var/lib/bedplate/bedplate.db"
_POSTGRES_EXAMPLE = "postgresql://user:password@host/bedplate"
_POSTGRES = {"postgresql", "postgres"}
_SQLITE_DRIVERS = {"sqlite", "sqlite+aiosqlite", "sqlite+pysqlite"}


def database_url(settings: SettingsService) -> sa.URL:
    """The SQLite URL that the settings give; by default the file ``bedplate.db`` in the data directory.

    Returns:
        A SQLite URL with the driver that Bedplate uses.

    Raises:
        DatabaseURLError: It is not a URL, there is no backend for its scheme, or a setting does not go with it.
    """
    values = settings.values
    if values.database.url is None:
        url = sa.URL.create("sqlite", database=str(values.data_dir / "bedplate.db"))
    else:
        url = _given(values.database.url.get_secret_value())
    if values.database.db_schema is not None:
        raise DatabaseURLError(
            "SQLite has no schemas",
            why=f"BEDPLATE_DATABASE__DB_SCHEMA is {values.database.db_schema!r}",
            fix="unset it: the tables have a prefix of their own, 'bedplate_'",
        )
    return url.set(drivername="sqlite+aiosqlite")


def postgres_url(settings: SettingsService) -> sa.URL:
    """The PostgreSQL URL that the settings give.

    Raises:
        DatabaseURLError: There is none, or it is another kind of URL.
    """
    given = settings.values.database.url
    if given is None:
        raise DatabaseURLError(
            "the PostgreSQL backend needs a URL",
            why=f"{SETTING} is not set",
            fix=f"set it, such as {_POSTGRES_EXAMPLE}",
        )
    url = _read(given.get_secret_value(), _POSTGRES_EXAMPLE)
    if url.get_backend_name() not in _POSTGRES or url.drivername.partition("+")[2] not in ("", "psycopg"):
        raise DatabaseURLError(
            "the backend is PostgreSQL by psycopg, and the URL is another one",
            why=f"{SETTING} is {_masked(url)}",
            fix=f"use one such as {_POSTGRES_EXAMPLE}, or another BEDPLATE_DATABASE__BACKEND",
        )
    return url


def _read(text: str, example: str) -> sa.URL:
    try:
        return sa.make_url(text)
    except (ArgumentError, ValueError):
        # The text is not shown: where a password in it begins and ends, nobody can say.
        raise DatabaseURLError(
            "the database URL cannot be read",
            why=f"set by {SETTING}",
            fix=f"write it as scheme://…, such as {example}",
        ) from None


def _given(text: str) -> sa.URL:
    url = _read(text, _EXAMPLE)
    if url.get_backend_name() in _POSTGRES:
        raise DatabaseURLError(
            "the URL is one of PostgreSQL, and the backend is SQLite",
            why=f"{SETTING} is {_masked(url)}",
            fix="set BEDPLATE_DATABASE__BACKEND=postgres, or BEDPLATE_PROFILE=cluster",
        )
    if url.drivername not in _SQLITE_DRIVERS:
        raise DatabaseURLError(
            f"there is no backend for {url.drivername!r}",
            why=f"{SETTING} is {_masked(url)}",
            fix=f"use a URL that begins with sqlite+aiosqlite://, such as {_EXAMPLE}",
        )
    return url


def _masked(url: sa.URL) -> str:
    # Passwords hide in the query as well.
    return url.set(query={}).render_as_string(hide_password=True) + ("?…" if url.query else "")
