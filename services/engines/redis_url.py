"""The URL of a Redis server: where it comes from, and what may stand in it. Needs no library of Redis."""

from typing import Final
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from bedplate.services.errors import ConfigurationError
from bedplate.services.schema import ServiceType
from bedplate.services.server_url import masked_url
from bedplate.services.settings import SettingsService

__all__ = ["RedisAddress", "RedisURLError", "redis_address"]

_SCHEMES: Final = ("redis", "rediss", "unix")
_PORT: Final = 6379
_EXAMPLE: Final = "redis://user:password@host:6379/0"


class RedisURLError(ConfigurationError):
    """The URL of the Redis server is missing, or is none."""

    code = "redis_url"


class RedisAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a Redis server is, for one service.

    Attributes:
        url: Its URL, with the password.
        setting: The setting that it comes from.
        service: The service that asks.
    """

    url: str
    setting: str
    service: str

    @property
    def masked(self) -> str:
        """The URL without user, password and query."""
        return masked_url(self.url, _PORT)

    def __repr__(self) -> str:
        return f"RedisAddress({self.masked!r}, setting={self.setting!r}, service={self.service!r})"


def redis_address(settings: SettingsService, service: ServiceType) -> RedisAddress:
    """The server of a service: that of its own ``redis_url``, or else the one of ``BEDPLATE_REDIS__URL``.

    Raises:
        RedisURLError: Neither is set, or it is not the URL of a Redis server.
    """
    own: SecretStr | None = getattr(getattr(settings.values, service), "redis_url", None)
    setting = "BEDPLATE_REDIS__URL" if own is None else f"BEDPLATE_{service.upper()}__REDIS_URL"
    given = own or settings.values.redis.url
    if given is None:
        raise RedisURLError(
            "the backend needs the URL of a Redis server",
            service=service,
            why="BEDPLATE_REDIS__URL is not set",
            fix=f"set it, such as {_EXAMPLE}, or set BEDPLATE_{service.upper()}__BACKEND to another backend",
        )
    url = given.get_secret_value()
    if problem := _problem(url):
        # The text is not shown: where a password in it begins and ends, nobody can say.
        raise RedisURLError(problem, service=service, why=f"set by {setting}", fix=f"write it as {_EXAMPLE}")
    return RedisAddress(url=url, setting=setting, service=service)


def _problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "the URL of the Redis server cannot be read"
    if parts.scheme not in _SCHEMES:
        return f"the URL of the Redis server begins with none of {', '.join(f'{one}://' for one in _SCHEMES)}"
    if parts.scheme == "unix":
        return None if parts.path else "the URL of the Redis server names no socket"
    if not parts.hostname or port == 0:
        return "the URL of the Redis server names no host"
    if parts.path.strip("/") and not parts.path.strip("/").isdecimal():
        return "the URL of the Redis server names a database that is not a number"
    return None
