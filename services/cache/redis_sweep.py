"""Walking over the items at the server: to count them, and to remove those that count no more."""

import asyncio
import itertools
from typing import Final

import msgspec

from bedplate.services.cache.backend import Usage
from bedplate.services.cache.redis_scripts import PRELUDE
from bedplate.services.cache.redis_server import RedisServer
from bedplate.services.engines.redis_batch import Script

__all__ = ["RedisSweep"]

_AT_ONCE = 200
"""Keys looked at in one step, so that the server answers others between two of them."""

_REST = 20
"""How many times as long as a census has taken there is none, however short the interval."""

_SWEEP: Final = Script(
    PRELUDE
    + """
-- KEYS: generation, items... ARGV: beginning of tags, generation that was cleared (or empty), bytes of a key that do
-- not count. Removes what counts no more; answers how many were live in what was cleared, and entries and bytes left.
local present, cleared, entries, bytes, known = redis.call('GET', KEYS[1]), 0, 0, 0, {}
for i = 2, #KEYS do
  local found = read(KEYS[i], present, ARGV[1], known)
  if found then
    local endless = #found.names > 0 and redis.call('PTTL', KEYS[i]) < 0
    entries = entries + 1
    bytes = bytes + redis.call('STRLEN', KEYS[i]) - found.from + #KEYS[i] - tonumber(ARGV[3])
    for j, name in ipairs(found.names) do
      bytes = bytes + #name
      if endless then tag(ARGV[1] .. name, found.gens[j], MONTH) end
    end
  else
    if ARGV[2] ~= '' then
      local was = look(KEYS[i], ARGV[2], ARGV[1])
      if was and was.left > 0 then cleared = cleared + 1 end
    end
    redis.call('UNLINK', KEYS[i])
  end
end
return {cleared, entries, bytes}
"""
)


class RedisSweep:
    """Sweeps one server.

    Args:
        server: What is swept.

    Attributes:
        usage: What was counted last.
    """

    def __init__(self, server: RedisServer) -> None:
        self.usage: dict[str, Usage] = {}
        self._server = server
        self._names = server.names

    async def cleared(self, namespace: str, ended: bytes | None) -> int:
        """Remove what is of a generation that has ended; how many of it had not expired."""
        total = cursor = 0
        while True:
            cursor, items = await self._scan(cursor, self._names.items(namespace))
            if items:
                total += (await self._step(namespace, items, ended or b""))[0]
            if not cursor:
                return total

    async def census(self, every: float | None) -> None:
        """Remove what counts no more, and count the rest.

        Args:
            every: Seconds within which one replica does so for all, and the others take what it has counted; None: do
                it now.
        """
        if every is not None and not await self._is_my_turn(every):
            counted = await self._server.execute("GET", self._names.usage)
            if counted is not None:
                self.usage = msgspec.msgpack.decode(counted, type=dict[str, Usage])
            return
        begun = asyncio.get_running_loop().time()
        usage: dict[str, Usage] = {}
        cursor = 0
        while True:
            cursor, items = await self._scan(cursor, self._names.items())
            by_namespace = itertools.groupby(sorted(items), self._names.namespace_of)
            for namespace, group in by_namespace:
                _, entries, size = await self._step(namespace, list(group), b"")
                before = usage.get(namespace, Usage(0, 0))
                usage[namespace] = Usage(before.entries + entries, before.bytes + size)
            if not cursor:
                break
        self.usage = usage
        await self._server.execute("SET", self._names.usage, msgspec.msgpack.encode(usage))
        took = asyncio.get_running_loop().time() - begun
        if every is not None and took * _REST > every:
            await self._server.execute("SET", self._names.census, "1", "PX", int(took * _REST * 1000))

    async def _is_my_turn(self, every: float) -> bool:
        # A little less than the interval: whoever counted last would otherwise find its own mark.
        milliseconds = max(1, int(every * 900))
        return await self._server.execute("SET", self._names.census, "1", "NX", "PX", milliseconds) is not None

    async def _scan(self, cursor: int, pattern: str) -> tuple[int, list[bytes]]:
        cursor, items = await self._server.execute("SCAN", cursor, "MATCH", pattern, "COUNT", _AT_ONCE)
        return cursor, items

    async def _step(self, namespace: str, items: list[bytes], ended: bytes) -> list[int]:
        keys = [self._names.generation(namespace), *(item.decode() for item in items)]
        answer: list[int] = await self._server.run(
            _SWEEP, keys, self._names.tags(namespace), ended, self._names.uncounted(namespace)
        )
        return answer
