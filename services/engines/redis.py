"""Pooled clients of Redis or Valkey, one pool for each URL."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bedplate.services.base import Service
from bedplate.services.engines.redis_checks import CHECKS
from bedplate.services.engines.redis_url import RedisAddress, redis_address
from bedplate.services.errors import MissingExtraError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisEngine"]


class RedisEngine(Service):
    """Owns the clients of redis-py; each is made when it is first asked for, and closed at stop.

    Commands are not tried again by the client: whether that is safe only the caller knows. Connections that died
    while they were idle are replaced before they are used.
    """

    checks = CHECKS

    def __init__(self, settings: SettingsService) -> None:
        self._settings = settings
        self._clients: dict[tuple[str, bool], Redis] = {}

    async def _stop(self) -> None:
        while self._clients:
            _, client = self._clients.popitem()
            await client.aclose(close_connection_pool=True)

    @property
    def key_prefix(self) -> str:
        """What all keys and channels begin with."""
        return self._settings.values.redis.key_prefix

    def address(self, service: ServiceType) -> RedisAddress:
        """The server of a service.

        Raises:
            RedisURLError: None is set, or it is not the URL of a Redis server.
        """
        return redis_address(self._settings, service)

    def client(self, service: ServiceType) -> "Redis":
        """The client for short commands, which must be answered within ``BEDPLATE_REDIS__COMMAND_TIMEOUT``.

        Answers are bytes. One client serves all services with the same URL; a call that finds no free connection
        waits for one.

        Raises:
            UnavailableError: The engine is not started.
            RedisURLError: No URL is set for the service, or it is none.
            MissingExtraError: The client library is not installed.
        """
        return self._client(service, blocking=False)

    def blocking_client(self, service: ServiceType) -> "Redis":
        """The client for commands that wait at the server, such as ``XREAD BLOCK`` and subscriptions.

        Each one that waits has a connection of its own, without a limit of time.

        Raises:
            UnavailableError: The engine is not started.
            RedisURLError: No URL is set for the service, or it is none.
            MissingExtraError: The client library is not installed.
        """
        return self._client(service, blocking=True)

    @contextmanager
    def typed_errors(self, service: ServiceType) -> Iterator[None]:
        """Turn what the client raises inside the block into errors of Bedplate.

        Raises:
            RedisUnavailableError: The server does not answer, not in time, or cannot take a write now.
            RedisSettingError: It refuses the user, the password, the database or the certificate.
        """
        from bedplate.services.engines.redis_errors import typed_errors

        with typed_errors(self.address(service)):
            yield

    async def ping(self, service: ServiceType) -> None:
        """See whether the server of a service answers.

        Raises:
            RedisUnavailableError: It does not.
            RedisSettingError: It refuses the user, the password, the database or the certificate.
        """
        client = self.client(service)
        with self.typed_errors(service):
            await client.ping()

    def _client(self, service: ServiceType, *, blocking: bool) -> "Redis":
        self._require_started("engine of Redis", service=service)
        address = self.address(service)
        key = (address.url, blocking)
        if key not in self._clients:
            client = self._clients[key] = self._make(address, blocking=blocking)
            self._tell_of_client(client)
        return self._clients[key]

    def _make(self, address: RedisAddress, *, blocking: bool) -> "Redis":
        try:
            from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
            from redis.asyncio.connection import AbstractConnection
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ModuleNotFoundError as error:
            raise MissingExtraError("redis", module=error.name or "redis", service=address.service) from error
        values = self._settings.values.redis
        options: dict[str, Any] = {
            "socket_connect_timeout": values.connect_timeout,
            "socket_timeout": None if blocking else values.command_timeout,
            "socket_keepalive": True,
            "retry": Retry(NoBackoff(), 0),
            "client_name": "bedplate",
        }
        if "maint_notifications_config" in inspect.signature(AbstractConnection.__init__).parameters:
            from redis.maint_notifications import MaintNotificationsConfig

            # With them, redis-py 8.1 hands out connections that the server has closed.
            options["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        if values.ca_file is not None and address.url.startswith("rediss:"):
            options["ssl_ca_certs"] = str(values.ca_file)
        if blocking:
            return Redis(connection_pool=ConnectionPool.from_url(address.url, **options))
        from bedplate.services.engines.redis_connection import leaving_replicas

        options |= {"max_connections": values.connections, "timeout": values.pool_timeout}
        pool = BlockingConnectionPool.from_url(address.url, **options)
        pool.connection_class = leaving_replicas(pool.connection_class)
        return Redis(connection_pool=pool)
