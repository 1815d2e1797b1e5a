"""How many more runs of an owner may wait, without counting them at every submit."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Final

from cachetools import LRUCache

from bedplate.services.task.errors import TooManyTasksError

__all__ = ["Room"]

_OWNERS: Final = 1_000
_UNCOUNTED: Final = 10
"""A count is good for this part of the room that it found: the fewer may still come, the more exact it is."""


class Room:
    """The room of the owners who submitted last.

    Args:
        most: Most runs of one owner that wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._left: LRUCache[uuid.UUID | None, int] = LRUCache(_OWNERS)

    async def take(self, owner: uuid.UUID | None, count: Callable[[], Awaitable[int]]) -> None:
        """Take a place for a run.

        Args:
            owner: Whose run it is.
            count: Counts the owner's runs that wait.

        Raises:
            TooManyTasksError: There is none.
        """
        left = self._left.get(owner, 0)
        if left > 0:
            self._left[owner] = left - 1
            return
        free = self._most - await count()
        if free <= 0:
            raise TooManyTasksError(self._most)
        self._left[owner] = (free - 1) // _UNCOUNTED
