"""Settings of the database service."""

from typing import Literal

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["DatabaseSettings"]


class DatabaseSettings(ServiceSettings):
    """The database (``BEDPLATE_DATABASE__*``)."""

    backend: str = "sqlite"
    """Which database is used: ``sqlite`` or ``postgres``."""
    url: SecretStr | None = None
    """SQLAlchemy URL; unset: ``bedplate.db`` in the data directory (SQLite)."""
    db_schema: str | None = None
    """Schema that holds Bedplate's tables; unset: the default one."""
    pool_size: int = Field(default=8, ge=1)
    """Connections for reading that are kept open."""
    write_pool_size: int = Field(default=8, ge=1)
    """Connections for writing that are kept open (PostgreSQL; SQLite has one)."""
    pool_recycle: Seconds = 1800.0
    """Seconds after which a connection is replaced (PostgreSQL)."""
    pooler: Literal["none", "transaction"] = "none"
    """``transaction``: a pooler in transaction mode, such as PgBouncer, stands before the server (PostgreSQL)."""
    statement_timeout: Seconds = 30.0
    """Seconds that a statement may take; 0: as long as it wants (PostgreSQL)."""
    pool_timeout: Seconds = 30.0
    """Seconds to wait for a connection."""
    busy_timeout: Seconds = 30.0
    """Seconds to wait for what another transaction has locked."""
    migrate: bool = True
    """Whether the schema is brought to head at start."""
