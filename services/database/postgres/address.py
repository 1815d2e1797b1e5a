"""Where a PostgreSQL database is, and how a connection to it is opened."""

import re
from typing import Any

import msgspec
import sqlalchemy as sa

from bedplate.services.database.errors import DatabaseURLError
from bedplate.services.database.url import SETTING
from bedplate.services.settings.groups.database import DatabaseSettings

__all__ = ["Address"]

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_CONNECT_TIMEOUT = 10


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A PostgreSQL database.

    Attributes:
        url: The URL with the driver; it holds the password.
        schema: The schema of Bedplate's tables; None: the first of the role's search path.
        pooled: Whether a pooler in transaction mode stands between: nothing is kept on a connection beyond a
            transaction then.
        statement_timeout: Seconds that a statement may take.
        lock_timeout: Seconds that a statement may wait for a lock.
    """

    url: sa.URL
    schema: str | None
    pooled: bool
    statement_timeout: float
    lock_timeout: float

    @classmethod
    def of(cls, url: sa.URL, settings: DatabaseSettings) -> "Address":
        """Read a URL and the settings beside it.

        Raises:
            DatabaseURLError: They do not go together, or name nothing.
        """
        schema, pooled = settings.db_schema, settings.pooler == "transaction"
        if not url.host and "host" not in url.query:
            raise DatabaseURLError(
                "the database URL names no host",
                why=f"set by {SETTING}",
                fix="write postgresql://user:password@host/db",
            )
        if schema is not None and not _SCHEMA.fullmatch(schema):
            raise DatabaseURLError(
                f"{schema!r} is not the name of a schema",
                why="set by BEDPLATE_DATABASE__DB_SCHEMA",
                fix="use lower-case letters, digits and underscores",
            )
        if schema is not None and pooled:
            raise DatabaseURLError(
                "a schema cannot be chosen for each connection behind a pooler in transaction mode",
                why="BEDPLATE_DATABASE__DB_SCHEMA and BEDPLATE_DATABASE__POOLER are both set",
                fix=f"unset the first, and set it for the role: ALTER ROLE … SET search_path = {schema}",
            )
        return cls(
            url=url.set(drivername="postgresql+psycopg"),
            schema=schema,
            pooled=pooled,
            statement_timeout=settings.statement_timeout,
            lock_timeout=settings.busy_timeout,
        )

    @property
    def name(self) -> str:
        """What errors call it."""
        host = self.url.host or "the host in the query"
        return f"{self.url.database or self.url.username} at {host}:{self.url.port or 5432}"

    @property
    def connect_args(self) -> dict[str, Any]:
        """What the driver is told when it connects."""
        arguments: dict[str, Any] = {
            "application_name": "bedplate",
            # Prepared statements are kept on a connection, which behind a pooler is another's the next moment.
            "prepare_threshold": None if self.pooled else 5,
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        }
        if "connect_timeout" not in self.url.query:
            arguments["connect_timeout"] = _CONNECT_TIMEOUT
        if not self.pooled:
            arguments["options"] = " ".join(f"-c {name}={value}" for name, value in self._parameters().items())
        return arguments

    @property
    def begin(self) -> str | None:
        """The statement that every transaction begins with; None where the connection has said it all."""
        if not self.pooled:
            return None
        assignments = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in self._parameters().items())
        return f"SELECT {assignments}"

    def _parameters(self) -> dict[str, str]:
        parameters = {
            "statement_timeout": f"{round(self.statement_timeout * 1000)}",
            "lock_timeout": f"{round(self.lock_timeout * 1000)}",
            "idle_in_transaction_session_timeout": f"{round(self.statement_timeout * 2000)}",
            "TimeZone": "UTC",
        }
        return parameters | ({"search_path": self.schema} if self.schema else {})
