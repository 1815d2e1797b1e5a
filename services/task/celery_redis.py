"""Connections of Celery to Redis that are broken when the server is no primary any more, rather than the worker."""

from typing import Any

import kombu
from kombu.transport import redis as transport
from redis import Connection, SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, ReadOnlyError, ResponseError

__all__ = ["PrimaryConnection"]

_UNBLOCKED = "UNBLOCKED"
"""What who waits at a primary is told when it becomes a replica."""


class PrimaryConnection(kombu.Connection):  # type: ignore[misc]  # kombu has no types
    """A connection of kombu that is made anew, as after any loss, when the server has become a replica.

    The library takes what such a server says for an error of the program, which ends a worker.
    """

    def get_transport_cls(self) -> type[Any]:
        """Whatever the URL says: it is one of Redis."""
        return _Transport


def _leaving(kind: type[Any]) -> type[Any]:
    class Leaving(kind):  # type: ignore[misc]  # a base that is known at run time only
        def read_response(self, *args: Any, **options: Any) -> Any:
            try:
                return super().read_response(*args, **options)
            except ResponseError as error:
                if isinstance(error, ReadOnlyError | MasterDownError) or str(error).startswith(_UNBLOCKED):
                    self.disconnect()
                    raise RedisConnectionError("the server has become a replica") from error
                raise

    return Leaving


class _Channel(transport.Channel):  # type: ignore[misc]  # kombu has no types
    connection_class = _leaving(Connection)
    connection_class_ssl = _leaving(SSLConnection)


class _Transport(transport.Transport):  # type: ignore[misc]  # kombu has no types
    Channel = _Channel
