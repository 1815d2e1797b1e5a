"""Cancellation of a start and of a stop, at every await."""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest

Diamond = Callable[..., Any]

NAMES = ("base", "left", "right", "top")


async def cancel_after(steps: int, coroutine: Any) -> bool:
    """Cancel a coroutine after it has been resumed so many times; whether it was still running."""
    task = asyncio.ensure_future(coroutine)
    for _ in range(steps):
        await asyncio.sleep(0)
    running = not task.done()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        assert running
    return running


def only_ours() -> set[Any]:
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_cancellation_at_every_await_of_start(diamond: Diamond, journal: list[str]) -> None:
    """The caller leaves when everything that was entered is stopped again."""
    cancelled = 0
    for steps in range(200):
        journal.clear()
        container = diamond()
        if not await cancel_after(steps, container.init_resources()):
            assert container.top().started
            await container.shutdown_resources()
            break
        cancelled += 1
        assert not container.started
        assert not only_ours()
        entered = {entry.split()[1] for entry in journal if entry.startswith("start ")}
        undone = {entry.split()[1] for entry in journal if entry.startswith("stopped ")}
        assert entered == undone
        async with container.running():  # and it can be started again
            assert container.top().started
    assert cancelled > 8


async def test_cancellation_at_every_await_of_stop(diamond: Diamond, journal: list[str]) -> None:
    """The cancelled caller leaves when all is stopped, and not before."""
    cancelled = 0
    for steps in range(1, 200):  # a task that is cancelled before its first step does nothing at all
        journal.clear()
        container = diamond()
        await container.init_resources()
        running = await cancel_after(steps, container.shutdown_resources())
        assert not container.started
        assert not only_ours()
        assert [journal.count(f"stopped {name}") for name in NAMES] == [1, 1, 1, 1]
        if not running:
            break
        cancelled += 1
    assert cancelled > 8


async def test_cancelling_a_stop_again_and_again_does_not_end_it(diamond: Diamond, journal: list[str]) -> None:
    container = diamond()
    await container.init_resources()
    task = asyncio.ensure_future(container.shutdown_resources())
    cancels = 0
    while not task.done():
        await asyncio.sleep(0)
        cancels += task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancels > 5
    assert [journal.count(f"stopped {name}") for name in NAMES] == [1, 1, 1, 1]


async def test_a_timeout_around_a_stop_arrives_after_it(diamond: Diamond, journal: list[str]) -> None:
    container = diamond()
    await container.init_resources()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await container.shutdown_resources()
    assert "stopped base" in journal
    assert not container.started


async def test_a_cancelled_scope_of_anyio_around_running_arrives_after_the_stop(
    diamond: Diamond, journal: list[str]
) -> None:
    """Such a scope cancels at every await again."""
    container = diamond()
    with anyio.CancelScope() as scope:
        async with container.running():
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert [journal.count(f"stopped {name}") for name in NAMES] == [1, 1, 1, 1]


async def test_a_cancelled_scope_of_anyio_around_a_start_undoes_it(diamond: Diamond) -> None:
    container = diamond()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await container.init_resources()
    assert not container.started
    assert not only_ours()


async def test_a_second_caller_of_stop_waits_for_the_first(diamond: Diamond) -> None:
    container = diamond()
    await container.init_resources()
    first = asyncio.ensure_future(container.shutdown_resources())
    await asyncio.sleep(0)
    second = asyncio.ensure_future(container.shutdown_resources())
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert not container.started
    assert first.done()


async def test_cancelling_one_of_two_starts_leaves_the_other(diamond: Diamond) -> None:
    container = diamond()
    first = asyncio.ensure_future(container.init_resources())
    second = asyncio.ensure_future(container.init_resources())
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert container.top().started
    assert first.cancelled()
    await container.shutdown_resources()


async def test_cancelling_every_task_there_is_does_not_end_a_stop(diamond: Diamond, journal: list[str]) -> None:
    """As a server that is killed twice does: what was cancelled is stopped again, to its end."""
    begun_again = 0
    for steps in range(1, 40):
        journal.clear()
        container = diamond()
        await container.init_resources()
        stop = asyncio.ensure_future(container.shutdown_resources())
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in only_ours():
            task.cancel()
        await asyncio.wait([stop])
        assert not container.started
        assert not only_ours()
        assert [journal.count(f"stopped {name}") for name in NAMES] == [1, 1, 1, 1]
        begun_again += any(journal.count(f"stop {name}") > 1 for name in NAMES)
    assert begun_again


async def test_cancelling_every_task_there_is_ends_a_start(diamond: Diamond, journal: list[str]) -> None:
    for steps in range(1, 40):
        journal.clear()
        container = diamond()
        start = asyncio.ensure_future(container.init_resources())
        for _ in range(steps):
            await asyncio.sleep(0)
        if start.done():
            break
        for task in only_ours():
            task.cancel()
        await asyncio.wait([start])
        assert start.cancelled()
        assert not container.started
        assert not only_ours()
    await container.shutdown_resources()
