"""Live objects that components share: models, clients, vector stores. Made once, bounded in number, closed in the end.

An object belongs to an owner and has a key, which should say everything that it was made of: another owner never gets
it. It is lent, not given: within the block of whoever has it, it is not closed, whatever is evicted meanwhile.
"""

import asyncio
import contextlib
import inspect
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, TypeVar

from bedplate.services.logs import get_logger
from bedplate.services.shared_component_cache.errors import ObjectClosedError, TooManyObjectsError

__all__ = ["Owner", "SharedObjects"]

T = TypeVar("T")

Owner = uuid.UUID | None
"""Whose an object is; None: the application's."""

_log = get_logger("bedplate.shared_component_cache")


class _Shared(Generic[T]):
    """One object, with those who use it or wait for it."""

    def __init__(self, name: tuple[Owner, str], making: "asyncio.Task[T]", close: Callable[[T], object] | None) -> None:
        self.name = name
        self.making = making
        self.close = close
        self.users = 0
        self.evicted = False
        self.closing: asyncio.Task[None] | None = None


class SharedObjects:
    """The live objects of a process.

    Args:
        most: Most objects.
        most_of_owner: Most objects of one owner; does not bind those of the application.
        close_timeout: Seconds that closing one may take.
    """

    def __init__(self, *, most: int, most_of_owner: int, close_timeout: float) -> None:
        self._most = most
        self._most_of_owner = most_of_owner
        self._close_timeout = close_timeout
        self._objects: OrderedDict[tuple[Owner, str], _Shared[Any]] = OrderedDict()
        self._lingering: set[_Shared[Any]] = set()  # evicted, and still in use
        self._closing: set[asyncio.Task[None]] = set()
        self._open = False
        self.made = self.evicted = self.failed = 0

    def __len__(self) -> int:
        return len(self._objects)

    def start(self) -> None:
        """Begin to lend."""
        self._open = True

    @contextlib.asynccontextmanager
    async def use(
        self,
        owner: Owner,
        key: str,
        make: Callable[[], Awaitable[T]],
        close: Callable[[T], object] | None = None,
    ) -> AsyncIterator[T]:
        """See :meth:`bedplate.services.shared_component_cache.SharedComponentCacheService.use`."""
        shared = await self._enter(owner, key, make, close)
        try:
            yield await self._made(shared)
        finally:
            await self._leave(shared)

    async def discard(self, owner: Owner, key: str | None = None) -> int:
        """See :meth:`bedplate.services.shared_component_cache.SharedComponentCacheService.discard`."""
        wanted = [name for name in self._objects if name[0] == owner and key in (None, name[1])]
        await asyncio.gather(*(self._evict(self._objects[name]) for name in wanted))
        return len(wanted)

    async def stop(self) -> None:
        """Close every object, and return when all are; what is being made is given up."""
        self._open = False
        for shared in (*self._objects.values(), *self._lingering):
            self._begin_to_close(shared)  # also of who still has it: all that uses this service has stopped before
        while self._closing:
            await asyncio.wait(set(self._closing))

    async def _enter(
        self, owner: Owner, key: str, make: Callable[[], Awaitable[T]], close: Callable[[T], object] | None
    ) -> _Shared[T]:
        name = (owner, key)
        while (shared := self._objects.get(name)) is None:
            if not self._open:
                raise ObjectClosedError(key)
            if (victim := self._in_the_way(owner)) is None:
                making = asyncio.get_running_loop().create_task(self._make(make))
                shared = self._objects[name] = _Shared(name, making, close)
                break
            self.evicted += 1
            await self._evict(victim)
        self._objects.move_to_end(name)
        shared.users += 1
        return shared

    async def _make(self, make: Callable[[], Awaitable[T]]) -> T:
        made = await make()
        self.made += 1
        return made

    async def _made(self, shared: _Shared[T]) -> T:
        """The object; who waits for it may be cancelled without harm to others who do."""
        try:
            return await asyncio.shield(shared.making)
        except asyncio.CancelledError:
            if shared.making.cancelled() and not self._is_cancelled():
                raise ObjectClosedError(shared.name[1]) from None
            raise
        except BaseException:
            self._forget(shared)  # the next one tries again
            raise

    async def _leave(self, shared: _Shared[T]) -> None:
        shared.users -= 1
        if shared.users:
            return
        if shared.evicted or not shared.making.done():  # in which case nobody waits for it any more
            self._begin_to_close(shared)

    async def _evict(self, shared: _Shared[Any]) -> None:
        """Lend an object no more, and close it if nobody uses it."""
        self._forget(shared)
        shared.evicted = True
        if shared.users:
            self._lingering.add(shared)
        else:
            await asyncio.shield(self._begin_to_close(shared))

    def _forget(self, shared: _Shared[Any]) -> None:
        if self._objects.get(shared.name) is shared:
            del self._objects[shared.name]

    def _in_the_way(self, owner: Owner) -> _Shared[Any] | None:
        """What has to go before another object of this owner can be; None: there is room.

        Raises:
            TooManyObjectsError: Everything is in use.
        """
        own = [shared for name, shared in self._objects.items() if name[0] == owner]
        if owner is not None and len(own) >= self._most_of_owner:
            candidates, limit, setting = own, self._most_of_owner, "MAX_OBJECTS_PER_USER"
        elif len(self._objects) >= self._most:
            candidates, limit, setting = list(self._objects.values()), self._most, "MAX_OBJECTS"
        else:
            return None
        idle = next((shared for shared in candidates if not shared.users), None)
        if idle is None:
            raise TooManyObjectsError(limit, setting)
        return idle

    def _begin_to_close(self, shared: _Shared[Any]) -> asyncio.Task[None]:
        self._forget(shared)
        self._lingering.discard(shared)
        if shared.closing is None:
            shared.closing = asyncio.get_running_loop().create_task(self._close(shared))
            self._closing.add(shared.closing)
            shared.closing.add_done_callback(self._closing.discard)
        return shared.closing

    async def _close(self, shared: _Shared[Any]) -> None:
        making = shared.making
        if not making.done():
            making.cancel()
            await asyncio.wait([making], timeout=self._close_timeout)
        if not making.done() or making.cancelled() or making.exception() is not None:
            return
        try:
            async with asyncio.timeout(self._close_timeout):
                outcome = _closer(making.result(), shared.close)()
                if inspect.isawaitable(outcome):
                    await outcome
        except Exception as error:
            self.failed += 1
            _log.warning("a shared object could not be closed", key=shared.name[1], error=error)

    @staticmethod
    def _is_cancelled() -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0


def _closer(made: Any, close: Callable[[Any], object] | None) -> Callable[[], object]:
    """What closes an object: what its maker said, or else its own ``aclose`` or ``close``."""
    if close is not None:
        return lambda: close(made)
    for name in ("aclose", "close"):
        if callable(method := getattr(made, name, None)):
            return lambda: method()
    return lambda: None
