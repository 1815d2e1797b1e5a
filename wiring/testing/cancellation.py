"""Cancels work at each of its awaits in turn, which is where real cancellations strike."""

import asyncio
import types
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator
from typing import Any

__all__ = ["cancel_at_every_await", "cancelled_at", "ends_cancelled"]


@types.coroutine
def cancelled_at(steps: Collection[int], work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run ``work`` in this task, cancelling the task at the given awaits (the first is 1); return what it returns."""
    task = asyncio.current_task()
    assert task is not None
    iterator = work.__await__()
    step = 0
    error: BaseException | None = None
    sent: Any = None
    while True:
        try:
            awaited = iterator.send(sent) if error is None else iterator.throw(error)
        except StopIteration as stop:
            return stop.value
        step += 1
        if step in steps:
            task.cancel()
        error = sent = None
        try:
            sent = yield awaited
        except BaseException as caught:
            error = caught


async def cancel_at_every_await(
    make: Callable[[], Coroutine[Any, Any, Any]], after: Callable[[bool], Awaitable[None]]
) -> int:
    """Run what ``make`` returns again and again, cancelled at its first await, its second, and so on to the last.

    Args:
        make: Makes the work anew for each round.
        after: Called after each round with whether the work was cancelled; checks what must hold.

    Returns:
        How many awaits there were; the last round had none left to be cancelled at.
    """
    step = 0
    while True:
        step += 1
        cancelled = await ends_cancelled({step}, make())
        await after(cancelled)
        if not cancelled:
            return step - 1


async def ends_cancelled(steps: Collection[int], work: Coroutine[Any, Any, Any]) -> bool:
    """Run ``work`` in a task of its own, cancelled at the given awaits (the first is 1); whether it ended by that."""
    task = asyncio.get_running_loop().create_task(_run(steps, work))
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    return task.cancelled()


async def _run(steps: Collection[int], work: Coroutine[Any, Any, Any]) -> None:
    await cancelled_at(steps, work)
