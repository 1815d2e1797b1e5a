"""Work that a cancellation must not cut in two."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["uninterrupted"]

T = TypeVar("T")


async def uninterrupted(work: Awaitable[T]) -> T:
    """Run ``work`` to its end even when the caller is cancelled meanwhile; the cancellation is raised after it.

    Returns:
        What ``work`` returns.

    Raises:
        asyncio.CancelledError: The caller was cancelled; ``work`` has ended nevertheless, and its own error, if it had
            one, is the context of this one.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    try:
        task.result()
    except BaseException as error:
        raise cancelled from error
    raise cancelled
