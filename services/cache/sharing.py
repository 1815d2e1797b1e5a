"""One load for all replicas: who loads, who waits, and who takes over.

A replica that is about to load claims a lease on the key, and renews it while its loader runs. The others look again
and again, at growing intervals, until the value is there, or until the lease is free: the loader has failed, or its
process has died, and the next one takes over. Within a process there is one load for a key already, so that no more
than one caller a replica waits like that.

A store that cannot be reached, or that does not know leases, holds up nobody: every process loads for itself then.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from bedplate.services.cache.backend import Claim, Leases
from bedplate.services.cache.core import CacheCore
from bedplate.services.cache.errors import CacheStorageError
from bedplate.services.cache.models import Item
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["SharedLoads", "Turn"]

_SHORTEST_WAIT = 0.01
_LONGEST_WAIT = 0.25


class Turn:
    """The turn of one process to load a value.

    Attributes:
        item: The value, which is there already; None: it is to be loaded.
        may_keep: Whether a value that is loaded may be kept, as far as is known.
        lease: Under which lease; empty: under none.
        since: What the store has to know of when the load began.
        in_vain: Whether the value turned out to be one that cannot be kept, so that nobody need wait for it.
    """

    __slots__ = ("in_vain", "item", "lease", "may_keep", "since")

    def __init__(
        self, item: Item | None = None, *, may_keep: bool = True, lease: str = "", since: object = None
    ) -> None:
        self.item = item
        self.may_keep = may_keep
        self.lease = lease
        self.since = since
        self.in_vain = False


class SharedLoads:
    """The loads of one namespace, as far as other processes are concerned.

    Args:
        core: What the namespaces share.
        namespace: Its name.
        lookup: Looks for a value that is there.
    """

    def __init__(self, core: CacheCore, namespace: str, lookup: Callable[[str], Awaitable[Item | None]]) -> None:
        self._core = core
        self._name = namespace
        self._lookup = lookup
        self._leases: Leases | None = core.store.leases
        self._held: dict[str, str] = {}

    @asynccontextmanager
    async def turn(self, key: str, tags: Sequence[str], is_wanted: Callable[[], bool]) -> AsyncGenerator[Turn, None]:
        """Wait until the value is there, or until it is this process's turn to load it, in the block.

        Args:
            key: The key.
            tags: What the value can be invalidated by.
            is_wanted: Whether what the block loads is still of use: a loader that hangs and was given up, or that began
                before a change, keeps nobody waiting.
        """
        try:
            turn = await self._begin(key, tags)
        except CacheStorageError as error:
            self._core.warn("the cache could not be read, so the value is loaded", self._name, error)
            # To ask a server again that does not answer would only take as long once more.
            turn = Turn(may_keep=self._leases is None and not tags)
        if self._leases is None or not turn.lease:
            yield turn
            return
        renewing = asyncio.create_task(self._renew(self._leases, key, turn, is_wanted), name="bedplate-cache-lease")
        try:
            yield turn
        finally:
            renewing.cancel()
            if self._held.get(key) == turn.lease:
                del self._held[key]
            await uninterrupted(self._release(self._leases, key, turn))

    async def _begin(self, key: str, tags: Sequence[str]) -> Turn:
        store = self._core.store
        if not store.instant and (item := await self._lookup(key)) is not None:
            return Turn(item)
        if self._leases is None:
            return Turn(since=await store.moment(self._name, tags) if tags else None)
        claim = await self._claim(self._leases, key, tags)
        if claim.lease:
            self._held[key] = claim.lease
        return Turn(claim.item, lease=claim.lease, since=claim.since)

    async def _claim(self, leases: Leases, key: str, tags: Sequence[str]) -> Claim:
        wait = _SHORTEST_WAIT
        while True:
            claim = await self._ask(leases, key, tags)
            if not claim.taken:
                return claim
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - spreads the load, hides nothing
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _ask(self, leases: Leases, key: str, tags: Sequence[str]) -> Claim:
        """Ask for the lease; whoever is cancelled meanwhile does not take along what the answer brings."""
        # One of this process on the same key belongs to a load that was given up, or whose result is out of date.
        asking = asyncio.ensure_future(leases.claim(self._name, key, tags, self._held.get(key, "")))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            await uninterrupted(self._decline(leases, key, asking))
            raise

    async def _decline(self, leases: Leases, key: str, asking: "asyncio.Future[Claim]") -> None:
        with suppress(CacheStorageError):
            claim = await asking
            if claim.lease:
                await self._release(leases, key, Turn(lease=claim.lease))

    async def _renew(self, leases: Leases, key: str, turn: Turn, is_wanted: Callable[[], bool]) -> None:
        while True:
            await asyncio.sleep(leases.seconds / 3)
            if not is_wanted():
                await self._release(leases, key, turn)
                return
            with suppress(CacheStorageError):  # there is time for another attempt
                if not await leases.renew(self._name, key, turn.lease):
                    return

    async def _release(self, leases: Leases, key: str, turn: Turn) -> None:
        try:
            await leases.release(self._name, key, turn.lease, everybody=turn.in_vain)
        except CacheStorageError as error:
            self._core.warn("a load was not given back; its lease will end", self._name, error)
