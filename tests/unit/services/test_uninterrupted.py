"""Work that a cancellation must not cut in two."""

import asyncio

import pytest

from bedplate.services.uninterrupted import uninterrupted


async def test_returns_and_raises_what_the_work_does() -> None:
    """DB-2: without a cancellation, nothing is to be seen of it."""

    async def work(fail: bool) -> int:
        if fail:
            raise LookupError
        return 1

    assert await uninterrupted(work(fail=False)) == 1
    with pytest.raises(LookupError):
        await uninterrupted(work(fail=True))


@pytest.mark.parametrize("fail", [False, True])
async def test_a_cancellation_is_raised_after_the_work(fail: bool) -> None:
    """DB-2: however often it comes; the error of the work is its cause."""
    go, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go.wait()
        ended.set()
        if fail:
            raise LookupError

    task = asyncio.create_task(uninterrupted(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert ended.is_set()
    assert isinstance(caught.value.__cause__, LookupError if fail else type(None))


async def test_a_timeout_around_it_is_a_timeout() -> None:
    """DB-2: the caller's own bookkeeping of cancellations stays right."""
    go = asyncio.Event()

    async def work() -> None:
        await go.wait()

    asyncio.get_running_loop().call_later(0.02, go.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await uninterrupted(work())
    assert go.is_set()
