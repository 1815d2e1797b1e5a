"""Settings of the connections to Redis."""

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import Location, Seconds, SettingsGroup

__all__ = ["RedisSettings"]


class RedisSettings(SettingsGroup):
    """Redis or Valkey, for the services whose backend is ``redis`` (``BEDPLATE_REDIS__*``)."""

    url: SecretStr | None = None
    """URL of the server, such as ``rediss://user:password@host:6379/0``; ``redis://`` is without TLS."""
    key_prefix: str = Field(default="bedplate:", max_length=64, pattern=r"^[A-Za-z0-9_.:{}-]*$")
    """What all keys and channels begin with; another one for each installation that shares a server."""
    connections: int = Field(default=64, ge=4)
    """Most connections to one server for short commands; calls beyond that wait. The cache keeps up to three."""
    pool_timeout: Seconds = 5.0
    """Seconds to wait for a connection of the pool."""
    connect_timeout: float = Field(default=3.0, gt=0)
    """Seconds in which a connection must be made."""
    command_timeout: float = Field(default=5.0, gt=0)
    """Seconds in which the server must answer a command."""
    ca_file: Location | None = None
    """Certificates that the server's is checked against, in place of the usual ones (``rediss://``)."""
