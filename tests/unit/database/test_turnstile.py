"""The turnstile: first come, first served, and no place is ever lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bedplate.services.database.errors import DatabaseBusyError
from bedplate.services.database.turnstile import Turnstile


def turnstile(places: int, timeout: float = 20) -> Turnstile:
    return Turnstile(places, timeout, what="place", setting="BEDPLATE_X")


@asynccontextmanager
async def passage(gate: Turnstile) -> AsyncIterator[None]:
    await gate.enter()
    try:
        yield
    finally:
        gate.leave()


async def test_lets_in_as_many_as_there_are_places_in_the_order_of_asking() -> None:
    """DB-1: a newcomer never overtakes one that waits."""
    gate = turnstile(2)
    inside: list[int] = []
    most = 0

    async def visit(number: int) -> None:
        nonlocal most
        async with passage(gate):
            inside.append(number)
            most = max(most, gate.places - gate.free)
            for _ in range(number % 3):
                await asyncio.sleep(0)

    await asyncio.gather(*(visit(number) for number in range(20)))
    assert inside == list(range(20))
    assert most == 2
    assert gate.free == 2


async def test_waiting_ends_with_an_error_that_names_the_setting() -> None:
    """DB-2: and the place goes to the next when it becomes free."""
    gate = turnstile(1, timeout=0.01)
    async with passage(gate):
        with pytest.raises(DatabaseBusyError, match=r"no place became free within 0\.01 s.*BEDPLATE_X"):
            async with passage(gate):
                pass
    assert gate.free == 1
    assert gate.waiting == 0


async def test_a_place_handed_to_a_task_that_is_cancelled_at_that_moment_goes_on_to_the_next() -> None:
    """DB-2: the hand-over and the cancellation may cross."""
    gate = turnstile(1)
    entered: list[str] = []

    async def visit(name: str) -> None:
        async with passage(gate):
            entered.append(name)

    async with passage(gate):
        first = asyncio.create_task(visit("first"))
        second = asyncio.create_task(visit("second"))
        await asyncio.sleep(0)
        assert gate.waiting == 2
    # The place is the first's already, which has not run yet.
    first.cancel()
    await asyncio.wait({first, second})
    assert first.cancelled()
    assert entered == ["second"]
    assert gate.free == 1


async def test_a_task_that_is_cancelled_before_its_turn_is_passed_over() -> None:
    """DB-2: also when it has not yet noticed."""
    gate = turnstile(1)

    async def visit() -> None:
        async with passage(gate):
            pass

    async with passage(gate):
        first, second = asyncio.create_task(visit()), asyncio.create_task(visit())
        await asyncio.sleep(0)
        first.cancel()
    await asyncio.wait({first, second})
    assert first.cancelled()
    assert not second.cancelled()
    assert gate.free == 1
    assert gate.waiting == 0
