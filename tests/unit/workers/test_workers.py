"""The engine of bounded pools: what blocks runs off the loop, and neither calls nor threads are lost or piled up."""

import asyncio
import contextvars
import os
import sys
import threading
from collections.abc import AsyncIterator

import pytest

from bedplate.services.engines.workers import Workers
from bedplate.services.errors import ConfigurationError, RateLimitedError, UnavailableError

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Gate:
    """A call that says when it has begun and returns when it is let go."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.begun: asyncio.Queue[int] = asyncio.Queue()
        self.open = threading.Event()
        self.calls = 0

    def pass_through(self, value: int = 0) -> int:
        self.calls += 1
        self.loop.call_soon_threadsafe(self.begun.put_nowait, value)
        assert self.open.wait(30)
        return value

    async def entered(self) -> None:
        """Wait until one more call has begun."""
        async with asyncio.timeout(30):
            await self.begun.get()


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


def crew() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("bedplate-pool-")]


async def test_a_call_runs_on_a_thread_of_the_pool(workers: Workers) -> None:
    """ALL-1: neither the event loop nor its default executor does the work."""
    assert (await workers.run("pool", 1, threading.current_thread)).name == "bedplate-pool-0"


async def test_arguments_and_result_are_passed(workers: Workers) -> None:
    assert await workers.run("pool", 1, int, "ff", base=16) == 255


async def test_an_error_reaches_the_caller(workers: Workers) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await workers.run("pool", 1, int, "no number")


async def test_even_an_exit_in_a_call_reaches_the_caller_and_leaves_the_thread_alive(workers: Workers) -> None:
    with pytest.raises(SystemExit):
        await workers.run("pool", 1, exit_now)
    assert await workers.run("pool", 1, int, "1") == 1


async def test_stop_iteration_does_not_end_the_coroutine_that_awaits(workers: Workers) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await workers.run("pool", 1, next, iter(()))


async def test_the_callers_context_follows_the_call(workers: Workers) -> None:
    """What a request bound to its context is there in the thread, and what the call sets stays in it."""
    variable.set("of the caller")
    assert await workers.run("pool", 1, read_and_set) == "of the caller"
    assert variable.get() == "of the caller"


async def test_no_more_calls_run_at_once_than_there_are_threads(workers: Workers, gate: Gate) -> None:
    """AUTH-1: work is bounded in parallel."""
    tasks = [asyncio.create_task(workers.run("pool", 2, gate.pass_through, number)) for number in range(20)]
    await gate.entered()
    await gate.entered()
    assert gate.calls == 2
    gate.open.set()
    assert await asyncio.gather(*tasks) == list(range(20))
    assert len(crew()) == 2


async def test_a_full_queue_refuses_at_once_and_recovers(workers: Workers, gate: Gate) -> None:
    pool = workers.pool("pool", 1, queue=1)
    running = asyncio.create_task(pool.run(gate.pass_through, 1))
    await gate.entered()
    waiting = asyncio.create_task(pool.run(gate.pass_through, 2))
    await asyncio.sleep(0)
    with pytest.raises(RateLimitedError) as refused:
        await pool.run(gate.pass_through, 3)
    assert refused.value.retry_after == 1.0
    gate.open.set()
    assert await asyncio.gather(running, waiting) == [1, 2]
    assert await pool.run(gate.pass_through, 4) == 4


async def test_a_cancelled_call_that_waits_never_runs_and_frees_its_place(workers: Workers, gate: Gate) -> None:
    pool = workers.pool("pool", 1, queue=1)
    running = asyncio.create_task(pool.run(gate.pass_through))
    await gate.entered()
    for _ in range(5):  # more than may wait at once
        waiting = asyncio.create_task(pool.run(gate.pass_through))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    gate.open.set()
    await running
    assert gate.calls == 1


async def test_a_cancelled_call_that_runs_lets_its_caller_go_but_keeps_its_thread(workers: Workers, gate: Gate) -> None:
    pool = workers.pool("pool", 1, queue=1)
    running = asyncio.create_task(pool.run(gate.pass_through))
    await gate.entered()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    following = asyncio.create_task(pool.run(int, "7"))
    await asyncio.sleep(0)
    assert not following.done()  # the only thread is still busy
    gate.open.set()
    assert await following == 7


async def test_stop_waits_for_running_calls_and_gives_up_waiting_ones(gate: Gate) -> None:
    workers = Workers()
    await workers.start()
    pool = workers.pool("pool", 1)
    running = asyncio.create_task(pool.run(gate.pass_through, 5))
    await gate.entered()
    waiting = asyncio.create_task(pool.run(gate.pass_through))
    await asyncio.sleep(0)
    stopping = asyncio.create_task(workers.stop())
    with pytest.raises(UnavailableError):
        await waiting
    assert not stopping.done()
    with pytest.raises(UnavailableError):
        await pool.run(int, "1")
    gate.open.set()
    await stopping
    assert await running == 5
    assert crew() == []


async def test_a_cancelled_stop_leaves_a_call_that_hangs_to_itself(gate: Gate) -> None:
    """ALL-1: a call that does not return holds up neither stop beyond its timeout nor the next start."""
    workers = Workers()
    await workers.start()
    hanging = asyncio.create_task(workers.run("pool", 1, gate.pass_through))
    await gate.entered()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await workers.stop()
    await workers.start()
    assert await workers.run("pool", 1, int, "1") == 1
    gate.open.set()
    await hanging
    await workers.stop()
    for thread in threading.enumerate():
        if thread.name.startswith("bedplate-pool-"):
            thread.join(30)
    assert crew() == []


async def test_it_starts_and_stops_again_and_again_without_a_thread_left() -> None:
    """ALL-1"""
    workers = Workers()
    for number in range(20):
        await workers.start()
        await workers.start()
        assert await workers.run("pool", 2, int, number) == number
        await workers.stop()
        await workers.stop()
    assert crew() == []
    with pytest.raises(UnavailableError):
        await workers.run("pool", 2, int)


async def test_a_pool_has_one_pair_of_numbers(workers: Workers) -> None:
    assert workers.pool("pool", 1, queue=3) is workers.pool("pool", 1)
    with pytest.raises(ConfigurationError):
        workers.pool("pool", 2)
    with pytest.raises(ConfigurationError):
        workers.pool("pool", 1, queue=4)


def exit_now() -> None:
    raise SystemExit(1)


def read_and_set() -> str:
    value = variable.get()
    variable.set("of the call")
    return value


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
async def test_a_pool_can_give_way_to_the_event_loop(workers: Workers) -> None:
    """AUTH-1: hashing keeps processors busy that the loop needs; no other thread is slowed down."""

    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    own = priority()
    assert await workers.pool("hashing", 1, yielding=True).run(priority) > own
    assert await workers.run("files", 1, priority) == own
    assert priority() == own
