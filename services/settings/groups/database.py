"""Settings of the database service."""

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["DatabaseSettings"]


class DatabaseSettings(ServiceSettings):
    """The database (``BEDPLATE_DATABASE__*``)."""

    backend: str = "sqlite"
    """Which database is used: ``sqlite``."""
    url: SecretStr | None = None
    """SQLAlchemy URL; unset: ``bedplate.db`` in the data directory."""
    db_schema: str | None = None
    """Schema that holds Bedplate's tables; unset: the default one."""
    pool_size: int = Field(default=8, ge=1)
    """Connections for reading that are kept open."""
    pool_timeout: Seconds = 30.0
    """Seconds to wait for a connection."""
    busy_timeout: Seconds = 30.0
    """Seconds to wait for another process's write lock (SQLite)."""
    migrate: bool = True
    """Whether the schema is brought to head at start."""
