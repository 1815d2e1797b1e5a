"""Work on a thread that ends before its caller does."""

import asyncio
import threading

import pytest

from bedplate.services.engines.workers import Workers
from bedplate.services.storage.abort import Abort, run_to_end
from bedplate.wiring.testing.signals import Signal


async def test_a_cancelled_caller_goes_when_the_thread_has_ended(workers: Workers) -> None:
    """ALL-1: even when cancelled again meanwhile; what could not be stopped is taken back."""
    begun = Signal()
    go_on, done, undone = (threading.Event() for _ in range(3))

    def work(_abort: Abort) -> str:
        begun.set()
        go_on.wait(60)
        done.set()
        return "result"

    def undo(result: str) -> None:
        assert result == "result"
        undone.set()

    task = asyncio.ensure_future(run_to_end(workers.pool("test", 1), work, undo=undo))
    await begun.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()
    assert undone.is_set()


async def test_work_that_looks_stops(workers: Workers) -> None:
    """ALL-1: and there is nothing to take back."""
    begun, undone = Signal(), threading.Event()

    def work(abort: Abort) -> None:
        begun.set()
        while True:
            abort.check()

    task = asyncio.ensure_future(run_to_end(workers.pool("test", 1), work, undo=lambda _result: undone.set()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not undone.is_set()


async def test_work_that_waits_for_a_thread_is_never_begun(workers: Workers) -> None:
    """ALL-1: when its caller goes first."""
    go_on, begun = threading.Event(), threading.Event()
    pool = workers.pool("test", 1)
    busy = asyncio.ensure_future(pool.run(go_on.wait, 60))
    waiting = asyncio.ensure_future(run_to_end(pool, lambda _abort: begun.set()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    await busy
    await pool.run(lambda: None)
    assert not begun.is_set()
