"""The circuit breaker, on a clock of the test's own."""

import asyncio
import contextlib

import pytest

from bedplate.services.engines.breaker import BreakerState, CircuitBreaker, CircuitOpenError


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("the other side", failures=3, reset_after=10.0, clock=clock)


def fail(breaker: CircuitBreaker) -> None:
    with contextlib.suppress(OSError), breaker.call(OSError):
        raise OSError


def test_failures_in_a_row_open_it(breaker: CircuitBreaker) -> None:
    fail(breaker)
    fail(breaker)
    with breaker.call(OSError):
        pass
    fail(breaker)
    fail(breaker)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker)
    assert breaker.state is BreakerState.OPEN
    with pytest.raises(CircuitOpenError, match="the other side") as caught, breaker.call(OSError):
        raise AssertionError("it was called")
    assert caught.value.retry_after == 10.0


def test_another_error_shows_that_the_other_side_answers(breaker: CircuitBreaker) -> None:
    fail(breaker)
    fail(breaker)
    with contextlib.suppress(ValueError), breaker.call(OSError):
        raise ValueError
    fail(breaker)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("works", [True, False])
def test_after_a_while_one_call_tries(breaker: CircuitBreaker, clock: Clock, *, works: bool) -> None:
    for _ in range(3):
        fail(breaker)
    clock.now += 9.0
    assert (breaker.state, breaker.retry_after) == (BreakerState.OPEN, 1.0)
    clock.now += 1.0
    assert breaker.state is BreakerState.HALF_OPEN
    with contextlib.suppress(OSError), breaker.call(OSError):
        with pytest.raises(CircuitOpenError), breaker.call(OSError):
            raise AssertionError("two at once")
        if not works:
            raise OSError
    assert breaker.state is (BreakerState.CLOSED if works else BreakerState.OPEN)
    assert breaker.retry_after == (0.0 if works else 10.0)


async def test_a_cancelled_trial_says_nothing_and_blocks_nobody(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(3):
        fail(breaker)
    clock.now += 10.0

    async def call() -> None:
        with breaker.call(OSError):
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    assert breaker.state is BreakerState.OPEN
    task.cancel()
    await asyncio.wait([task])
    assert breaker.state is BreakerState.HALF_OPEN


def test_without_a_limit_it_never_opens(clock: Clock) -> None:
    breaker = CircuitBreaker("x", failures=0, reset_after=10.0, clock=clock)
    for _ in range(100):
        fail(breaker)
    assert breaker.state is BreakerState.CLOSED
