"""The server that the cache is at: what is sent to it, and what is wrong when it does not answer."""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError

from bedplate.services.cache.errors import CacheStorageError
from bedplate.services.cache.redis_names import RedisNames
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_batch import RedisBatch, Script
from bedplate.services.errors import BedplateError
from bedplate.services.schema import ServiceType

__all__ = ["RedisServer"]


class RedisServer:
    """Sends what waits at the same time together, and raises errors of the cache.

    Args:
        engine: The clients.

    Attributes:
        names: What keys are called there.
    """

    def __init__(self, engine: RedisEngine) -> None:
        self.names = RedisNames(engine.key_prefix)
        self._engine = engine
        self._batch: RedisBatch | None = None

    @property
    def started(self) -> bool:
        """Whether something can be sent."""
        return self._batch is not None

    async def start(self) -> None:
        """Reach the server.

        Raises:
            RedisUnavailableError: It does not answer.
            RedisSettingError: It refuses what the settings say.
        """
        await self.check()
        self._batch = RedisBatch(self._engine.client(ServiceType.CACHE))

    async def stop(self) -> None:
        """Give up what is under way."""
        batch, self._batch = self._batch, None
        if batch is not None:
            await batch.close()

    async def check(self) -> None:
        """Raise, as :meth:`start`, if the server does not answer."""
        await self._engine.ping(ServiceType.CACHE)

    async def get(self, keys: Sequence[str]) -> "list[bytes | None]":
        """The values of the keys, at one moment.

        Raises:
            CacheStorageError: The server cannot be used now.
        """
        try:
            return await self._sender.get(keys)
        except (RedisError, OSError) as error:
            raise self._storage_error(error) from error

    async def run(self, script: Script, keys: Sequence[str], *args: str | bytes | float) -> Any:
        """What a script answers; raises as :meth:`get`."""
        try:
            return await self._sender.run(script, keys, *args)
        except (RedisError, OSError) as error:
            raise self._storage_error(error) from error

    async def execute(self, *command: str | bytes | float) -> Any:
        """What a command answers; raises as :meth:`get`."""
        try:
            return await self._sender.execute(*command)
        except (RedisError, OSError) as error:
            raise self._storage_error(error) from error

    @property
    def _sender(self) -> RedisBatch:
        if self._batch is None:
            raise CacheStorageError(
                "the cache is stopped", why="its connections are closed", fix="start its container again"
            )
        return self._batch

    def _storage_error(self, error: Exception) -> CacheStorageError:
        try:
            with self._engine.typed_errors(ServiceType.CACHE):
                raise error
        except BedplateError as typed:
            return CacheStorageError(typed.what, why=typed.why or type(error).__name__, fix=typed.fix or "try again")
