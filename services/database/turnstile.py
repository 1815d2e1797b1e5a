"""A fair way through for a bounded number of tasks at once."""

import asyncio
from collections import deque
from contextlib import suppress

from bedplate.services.database.errors import DatabaseBusyError

__all__ = ["Turnstile"]


class Turnstile:
    """Lets ``places`` tasks in at once, the others in the order in which they came.

    A place that becomes free goes straight to the first who waits, so that a newcomer never overtakes. Waiting may be
    cancelled at any moment without a place being lost.

    Args:
        places: How many may be in at once.
        timeout: Seconds that one waits before giving up.
        what: What a place stands for, for the error.
        setting: The environment variable that sets ``places``, or None where it cannot be set.
    """

    def __init__(self, places: int, timeout: float, *, what: str, setting: str | None = None) -> None:
        self.places = places
        self.free = places
        self._timeout = timeout
        self._what = what
        self._setting = setting
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def enter(self) -> None:
        """Take a place, which must be given back by :meth:`leave`.

        Raises:
            DatabaseBusyError: None became free in time.
        """
        if self.free:
            self.free -= 1
        else:
            await self._wait()

    def leave(self) -> None:
        """Give the place back: to the first who waits."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.free += 1

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        place = loop.create_future()
        self._waiting.append(place)
        expiry = loop.call_later(self._timeout, self._expire, place)
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                # Whoever gave a place back meanwhile has passed over this one, and taken it out.
                with suppress(ValueError):
                    self._waiting.remove(place)
            elif place.exception() is None:
                self.leave()
            raise
        finally:
            expiry.cancel()

    def _expire(self, place: asyncio.Future[None]) -> None:
        if place.done():
            return
        self._waiting.remove(place)
        place.set_exception(
            DatabaseBusyError(
                f"no {self._what} became free within {self._timeout:g} s",
                why=f"{self.places} in use, {len(self._waiting)} more waiting",
                fix="keep transactions and sessions short"
                + (f", or raise {self._setting}" if self._setting else "")
                + ", or raise BEDPLATE_DATABASE__POOL_TIMEOUT",
            )
        )
