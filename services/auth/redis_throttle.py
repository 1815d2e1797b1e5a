"""Logins counted at a Redis server, which forgets them by itself."""

import math
from collections.abc import Collection
from typing import Final

from bedplate.services.auth.attempt_rate import Rate
from bedplate.services.auth.throttle_store import Limit
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.schema import ServiceType

__all__ = ["RedisThrottleStore"]

_HIT: Final = """
-- KEYS: attempts. ARGV: how many are let through, ms of a period. Answers the ms to wait, or 0.
local attempts = redis.call('INCR', KEYS[1])
if attempts == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if attempts <= tonumber(ARGV[1]) then return 0 end
return math.max(redis.call('PTTL', KEYS[1]), 1)
"""

_FAIL: Final = """
-- KEYS: failures, lock, lockouts. ARGV: the failure that locks, window, first lockout, longest (all three in ms).
-- Answers the ms of the lockout that begins, 0, or -1 where it is locked already.
if redis.call('EXISTS', KEYS[2]) == 1 then return -1 end
local window, longest = tonumber(ARGV[2]), tonumber(ARGV[4])
local failures = redis.call('INCR', KEYS[1])
if failures == 1 then redis.call('PEXPIRE', KEYS[1], window) end
local remembered = redis.call('PTTL', KEYS[3])
if remembered >= 0 and remembered < redis.call('PTTL', KEYS[1]) then redis.call('PEXPIRE', KEYS[3], window) end
if failures < tonumber(ARGV[1]) then return 0 end
local lockouts = math.min(tonumber(redis.call('GET', KEYS[3]) or '0'), 60)
local lockout = math.min(tonumber(ARGV[3]) * 2 ^ lockouts, longest)
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], '1', 'PX', lockout)
redis.call('SET', KEYS[3], lockouts + 1, 'PX', lockout + math.max(window, longest))
return lockout
"""


class RedisThrottleStore:
    """Counts failures and attempts by key, each of it one step at the server, by the server's clock.

    Without its server, nobody is let in by a password: each call raises ``RedisUnavailableError``.

    Args:
        engine: The clients.
    """

    joins_transactions = False

    def __init__(self, engine: RedisEngine) -> None:
        self._engine = engine
        self._prefix = f"{engine.key_prefix}auth:throttle:"

    async def check(self) -> None:
        """As in :class:`~bedplate.services.auth.throttle_store.ThrottleStore`."""
        await self._engine.ping(ServiceType.AUTH)

    async def hit(self, key: str, rate: Rate) -> float:
        """As in :class:`~bedplate.services.auth.throttle_store.ThrottleStore`."""
        with self._engine.typed_errors(ServiceType.AUTH):
            client = self._engine.client(ServiceType.AUTH)
            name, period = f"{self._prefix}{key}:attempts", math.ceil(rate.period * 1000)
            wait = int(await client.eval(_HIT, 1, name, rate.attempts, period))
        return wait / 1000

    async def locked_for(self, keys: Collection[str]) -> float:
        """As in :class:`~bedplate.services.auth.throttle_store.ThrottleStore`."""
        if not keys:
            return 0.0
        with self._engine.typed_errors(ServiceType.AUTH):
            async with self._engine.client(ServiceType.AUTH).pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.pttl(self._lock(key))
                left = await pipeline.execute()
        longest: int = max(left)
        return max(0.0, longest / 1000)

    async def fail(self, key: str, limit: Limit) -> float | None:
        """As in :class:`~bedplate.services.auth.throttle_store.ThrottleStore`."""
        times = (math.ceil(seconds * 1000) for seconds in (limit.window, limit.lockout, limit.longest))
        with self._engine.typed_errors(ServiceType.AUTH):
            client = self._engine.client(ServiceType.AUTH)
            lockout = int(await client.eval(_FAIL, 3, *self._keys(key), limit.failures, *times))
        return None if lockout < 0 else lockout / 1000

    async def clear(self, key: str) -> bool:
        """As in :class:`~bedplate.services.auth.throttle_store.ThrottleStore`."""
        with self._engine.typed_errors(ServiceType.AUTH):
            return bool(await self._engine.client(ServiceType.AUTH).delete(*self._keys(key)))

    async def prune(self) -> int:
        """Nothing: the server forgets what is too old by itself."""
        return 0

    def _keys(self, key: str) -> tuple[str, str, str]:
        return f"{self._prefix}{key}:failures", self._lock(key), f"{self._prefix}{key}:lockouts"

    def _lock(self, key: str) -> str:
        return f"{self._prefix}{key}:lock"
