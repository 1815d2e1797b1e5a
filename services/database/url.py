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


def _given(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        # The text is not shown: where a password in it begins and ends, nobody can say.
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
    return url


def _masked(url: sa.URL) -> str:
    # Passwords hide in the query as well.
    return url.set(query={}).render_as_string(hide_password=True) + ("?…" if url.query else "")
