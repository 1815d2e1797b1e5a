"""The other replicas by a Redis server: a counter that says how often components were loaded anew, and who has what."""

import uuid
from collections.abc import Callable
from typing import Any, Final, Self

import msgspec

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_subscription import RedisSubscription
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache.peers import Seen

__all__ = ["RedisPeers"]

_ALIVE: Final = 60_000
"""Milliseconds after its last word for which a replica is alive."""

_NOTE: Final = """
-- KEYS: digests by replica, their ends, version. ARGV: replica, digest (empty: it is gone), ms until its end.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == '' then
  redis.call('ZADD', KEYS[2], 0, ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('HDEL', KEYS[1], gone)
  redis.call('ZREM', KEYS[2], gone)
end
return {redis.call('GET', KEYS[3]) or '0', redis.call('HGETALL', KEYS[1])}
"""

_log = get_logger("bedplate.shared_component_cache")


class RedisPeers:
    """See :class:`~bedplate.services.shared_component_cache.peers.Peers`.

    Args:
        engine: The clients.
    """

    def __init__(self, engine: RedisEngine) -> None:
        self._engine = engine
        self._prefix = f"{engine.key_prefix}components:"
        self._channel = f"{self._prefix}news"
        self._name = uuid.uuid4().hex
        self._heard: Callable[[], None] = lambda: None
        self._discarded: Callable[[str, str | None], None] = lambda _owner, _key: None
        self._subscription = RedisSubscription(
            engine, ServiceType.SHARED_COMPONENT_CACHE, self._hear, on_restored=lambda: self._heard()
        )

    @classmethod
    def from_settings(cls, _settings: SettingsService, *, redis: RedisEngine) -> Self:
        """Make it of the engine."""
        return cls(redis)

    async def start(self, heard: Callable[[], None], discarded: Callable[[str, str | None], None]) -> None:
        """Begin to listen.

        Raises:
            RedisUnavailableError: The server does not answer.
            RedisSettingError: It refuses what the settings say.
        """
        self._heard, self._discarded = heard, discarded
        self._subscription.start()
        await self._subscription.subscribe(self._channel)

    async def stop(self) -> None:
        """Listen no more, and be alive no more, as far as the server can be told."""
        await self._subscription.stop()
        try:
            await self._note("")
        except Exception as error:
            _log.info("the other replicas were not told of the stop", error=type(error).__name__)

    async def version(self) -> int:
        """How often a replica has loaded its components anew."""
        with self._engine.typed_errors(ServiceType.SHARED_COMPONENT_CACHE):
            return int(await self._client.get(f"{self._prefix}version") or 0)

    async def announce(self) -> int:
        """Tell all that this replica has loaded its components anew; the version that this makes."""
        with self._engine.typed_errors(ServiceType.SHARED_COMPONENT_CACHE):
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.incr(f"{self._prefix}version")
                pipeline.publish(self._channel, _encode((self._name, None)))
                return int((await pipeline.execute())[0])

    async def note(self, digest: str) -> Seen:
        """Say that this replica is alive and what it has, and see what the others have."""
        version, digests = await self._note(digest)
        pairs = zip(digests[::2], digests[1::2], strict=True)
        return Seen(int(version), {name.decode(): digest.decode() for name, digest in pairs})

    async def discard(self, owner: str, key: str | None) -> None:
        """Tell all others to let go of live objects."""
        with self._engine.typed_errors(ServiceType.SHARED_COMPONENT_CACHE):
            await self._client.publish(self._channel, _encode((self._name, (owner, key))))

    @property
    def _client(self) -> Any:  # its eval has no annotation that fits
        return self._engine.client(ServiceType.SHARED_COMPONENT_CACHE)

    async def _note(self, digest: str) -> tuple[bytes, list[bytes]]:
        keys = [f"{self._prefix}{name}" for name in ("digests", "ends", "version")]
        with self._engine.typed_errors(ServiceType.SHARED_COMPONENT_CACHE):
            version, digests = await self._client.eval(_NOTE, 3, *keys, self._name, digest, _ALIVE)
        if isinstance(digests, dict):
            digests = [part for pair in digests.items() for part in pair]
        return version, digests

    def _hear(self, _channel: str, message: bytes) -> None:
        try:
            sender, discarded = _DECODER.decode(message)
        except msgspec.MsgspecError as error:
            _log.warning("news of another replica could not be read", error=error)
            return
        if sender == self._name:
            return
        if discarded is None:
            self._heard()
        else:
            self._discarded(*discarded)


_encode: Final = msgspec.msgpack.Encoder().encode
_DECODER: Final = msgspec.msgpack.Decoder(tuple[str, tuple[str, str | None] | None])
