"""Tasks that wait for something to change, each by a future of its own."""

import asyncio
from collections.abc import Iterable

__all__ = ["wait_among", "wake_all"]


async def wait_among(waiters: set[asyncio.Future[None]]) -> None:
    """Wait, as one of ``waiters``, until they are woken.

    A future for each: a shared one would be cancelled for all when one of them is.
    """
    waiter = asyncio.get_running_loop().create_future()
    waiters.add(waiter)
    try:
        await waiter
    finally:
        waiters.discard(waiter)


def wake_all(waiters: Iterable[asyncio.Future[None]]) -> None:
    """Wake all that wait."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
