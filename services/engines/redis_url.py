"""The URL of a Redis server: where it comes from, and what may stand in it. Needs no library of Redis."""

from typing import Final

from pydantic import SecretStr

from bedplate.services.errors import ConfigurationError
from bedplate.services.schema import ServiceType
from bedplate.services.server_address import ServerAddress, url_problem
from bedplate.services.settings import SettingsService

__all__ = ["RedisAddress", "RedisURLError", "redis_address"]

_PORTS: Final = {"redis": 6379, "rediss": 6379}
_SCHEMES: Final = (*_PORTS, "unix")
_EXAMPLE: Final = "redis://user:password@host:6379/0"


class RedisURLError(ConfigurationError):
    """The URL of the Redis server is missing, or is none."""

    code = "redis_url"


class RedisAddress(ServerAddress, frozen=True, kw_only=True):
    """Where a Redis server is, for one service.

    Attributes:
        service: The service that asks.
    """

    ports = _PORTS

    service: str


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
    if problem := url_problem(url, "the Redis server", _SCHEMES):
        # The text is not shown: where a password in it begins and ends, nobody can say.
        raise RedisURLError(problem, service=service, why=f"set by {setting}", fix=f"write it as {_EXAMPLE}")
    return RedisAddress(url=url, setting=setting, service=service)
