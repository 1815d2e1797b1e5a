"""The database URL: where it comes from, and what may stand in it."""

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from bedplate.services.database.errors import DatabaseURLError
from bedplate.services.settings import SettingsService

__all__ = ["SETTING", "database_url"]

SETTING = "BEDPLATE_DATABASE__URL"

_EXAMPLE = "sqlite+aiosqlite:////var/lib/bedplate/bedplate.db"
_SQLITE_DRIVERS = {"sqlite", "sqlite+aiosqlite", "sqlite+pysqlite"}


def database_url(settings: SettingsService) -> sa.URL:
    """The URL that the settings give; by default the file ``bedplate.db`` in the data directory.

    Returns:
        A SQLite URL with the driver that Bedplate uses.

    Raises:
        DatabaseURLError: It is not a URL, or there is no backend for its scheme.
    """
    values = settings.values
    if values.database.url is None:
        return sa.URL.create("sqlite+aiosqlite", database=str(values.data_dir / "bedplate.db"))
    try:
        url = sa.make_url(values.database.url.get_secret_value())
    except (ArgumentError, ValueError):
        # The text is not shown: with a password in it, nobody can say where it begins and ends.
        raise DatabaseURLError(
            "the database URL cannot be read",
            why=f"set by {SETTING}",
            fix=f"write it as scheme://…, such as {_EXAMPLE}",
        ) from None
    if url.get_backend_name() in {"postgresql", "postgres"}:
        raise DatabaseURLError(
            "there is no PostgreSQL backend in this release",
            why=f"{SETTING} is {_masked(url)}",
            fix=f"use SQLite: unset {SETTING}, or set it to a URL such as {_EXAMPLE}",
        )
    if url.drivername not in _SQLITE_DRIVERS:
        raise DatabaseURLError(
            f"there is no backend for {url.drivername!r}",
            why=f"{SETTING} is {_masked(url)}",
            fix=f"use a URL that begins with sqlite+aiosqlite://, such as {_EXAMPLE}",
        )
    if values.database.db_schema is not None:
        raise DatabaseURLError(
            "SQLite has no schemas",
            why=f"BEDPLATE_DATABASE__DB_SCHEMA is {values.database.db_schema!r}",
            fix="unset BEDPLATE_DATABASE__DB_SCHEMA: the tables have a prefix of their own, 'bedplate_'",
        )
    return url.set(drivername="sqlite+aiosqlite")


def _masked(url: sa.URL) -> str:
    # Passwords hide in the query as well.
    query = "?…" if url.query else ""
    return url.set(query={}).render_as_string(hide_password=True) + query
