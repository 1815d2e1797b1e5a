"""Who of all replicas loads a value: a lease at the server, which is also the fence of what was loaded."""

import math
from collections.abc import Sequence

from bedplate.services.cache.backend import Claim
from bedplate.services.cache.models import Item
from bedplate.services.cache.redis_lease_scripts import CLAIM, RELEASE, RENEW
from bedplate.services.cache.redis_names import fresh
from bedplate.services.cache.redis_scripts import RAW
from bedplate.services.cache.redis_server import RedisServer

__all__ = ["RedisLeases"]

_TAGS_KEPT = 86_400_000
_OPEN = 1_000
"""Milliseconds for which everybody may load a value that cannot be kept."""


class RedisLeases:
    """See :class:`~bedplate.services.cache.backend.Leases`.

    Args:
        server: Runs scripts.
        seconds: The length of a lease.
    """

    def __init__(self, server: RedisServer, seconds: float) -> None:
        self.seconds = seconds
        self._server = server
        self._names = server.names

    async def claim(self, namespace: str, key: str, tags: Sequence[str], earlier: str) -> Claim:
        """The value that is there, or else the lease, if nobody has it."""
        token = fresh()
        verdict, *answer = await self._server.run(
            CLAIM,
            (self._names.generation(namespace), self._names.item(namespace, key), self._names.load(namespace, key)),
            self._names.tags(namespace),
            fresh(),
            self._milliseconds,
            token,
            earlier,
            _TAGS_KEPT,
            *tags,
        )
        match verdict:
            case b"there":
                return Claim(item=Item(answer[1], answer[0] == RAW))
            case b"taken":
                return Claim(taken=True)
            case b"everybody":
                return Claim(since=tuple(answer))
            case _:
                return Claim(lease=token, since=tuple(answer))

    async def renew(self, namespace: str, key: str, lease: str) -> bool:
        """Let a lease go on; whether it did."""
        return bool(await self._server.run(RENEW, (self._names.load(namespace, key),), lease, self._milliseconds))

    async def release(self, namespace: str, key: str, lease: str, *, everybody: bool) -> None:
        """Give a lease back, if it goes on."""
        await self._server.run(RELEASE, (self._names.load(namespace, key),), lease, _OPEN if everybody else 0)

    @property
    def _milliseconds(self) -> int:
        return math.ceil(self.seconds * 1000)
