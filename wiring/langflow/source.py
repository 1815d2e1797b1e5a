"""A database of Langflow, read only, all of it as of one moment."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bedplate.services.errors import MissingExtraError
from bedplate.wiring.langflow.errors import LangflowSourceError
from bedplate.wiring.langflow.values import SourceRow

__all__ = ["LangflowSource"]

_NEEDED: Mapping[str, frozenset[str]] = {
    "user": frozenset({"id", "username", "password"}),
    "flow": frozenset({"id", "name", "data", "user_id"}),
}


class LangflowSource:
    """The tables of a Langflow database.

    Args:
        connection: A connection in a transaction that reads one moment.
        tables: Names and columns of its tables.
    """

    def __init__(self, connection: AsyncConnection, tables: Mapping[str, frozenset[str]]) -> None:
        self._connection = connection
        self.tables = tables

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator["LangflowSource"]:
        """Open a database for the length of a block; nothing in it is ever changed.

        Args:
            url: A URL of SQLite or PostgreSQL, with or without a driver, or the path of a SQLite file.

        Raises:
            LangflowSourceError: It cannot be read, or is no database of Langflow.
            MissingExtraError: It is a PostgreSQL URL, and the driver is not installed.
        """
        readable = _readable(url)
        engine = create_async_engine(readable, **_options(readable))
        try:
            async with engine.connect() as connection:
                if engine.dialect.name == "sqlite":
                    await connection.exec_driver_sql("BEGIN")  # its driver begins none to read
                yield cls(connection, await _tables(connection))
        except (SQLAlchemyError, OSError) as error:
            raise LangflowSourceError(
                "the database of Langflow cannot be read",
                why=type(getattr(error, "orig", None) or error).__name__,
                fix="check host, name and password in the URL, and that the server runs",
            ) from None
        finally:
            await engine.dispose()

    async def rows(self, table: str, *, order_by: str = "id") -> AsyncIterator[SourceRow]:
        """The rows of a table as they come, few in memory at a time; none of a table that is not there."""
        if table not in self.tables:
            return
        selected = sa.select(sa.text("*")).select_from(sa.table(table)).order_by(sa.column(order_by))
        async with self._connection.stream(selected) as result:
            async for row in result.mappings():
                yield SourceRow(row)

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        selected = sa.select(sa.func.count()).select_from(sa.table(table))
        return int((await self._connection.execute(selected)).scalar_one())


def _options(url: sa.URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {}
    return {"isolation_level": "REPEATABLE READ", "execution_options": {"postgresql_readonly": True}}


def _readable(text: str) -> sa.URL:
    """The URL with an asynchronous driver and, for a file, the demand that it is there and stays as it is."""
    try:
        url = sa.make_url(text) if "://" in text else sa.URL.create("sqlite", database=text)
    except (ArgumentError, ValueError):
        # The text is not shown: where a password in it begins and ends, nobody can say.
        raise LangflowSourceError(
            "the URL of the database cannot be read", fix="write it as sqlite:////path/langflow.db or postgresql://…"
        ) from None
    backend = url.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        _require_psycopg()
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise LangflowSourceError(
            f"a database of the kind {backend!r} cannot be read", fix="Langflow uses SQLite or PostgreSQL"
        )
    path = Path(url.database or "")
    if not path.is_file():
        raise LangflowSourceError(
            f"there is no file {str(path)!r}", fix="name the database file of Langflow, usually langflow.db"
        )
    return sa.URL.create(
        "sqlite+aiosqlite", database=f"{path.absolute().as_uri()}", query={"mode": "ro", "uri": "true"}
    )


def _require_psycopg() -> None:
    try:
        import psycopg  # noqa: F401 - only whether it is there
    except ImportError:
        raise MissingExtraError("postgres", module="psycopg", service="database") from None


async def _tables(connection: AsyncConnection) -> dict[str, frozenset[str]]:
    def read(sync: sa.Connection) -> dict[str, frozenset[str]]:
        inspector = sa.inspect(sync)
        return {
            name: frozenset(column["name"] for column in inspector.get_columns(name))
            for name in inspector.get_table_names()
        }

    tables = await connection.run_sync(read)
    for table, columns in _NEEDED.items():
        if missing := columns - tables.get(table, frozenset()):
            raise LangflowSourceError(
                f"the database is none of Langflow: its table {table!r} has no {', '.join(sorted(missing))}",
                fix="name the database that Langflow used; its tables are called user, flow, variable and so on",
            )
    return tables
