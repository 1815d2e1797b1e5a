"""The bound of waiting runs, and what looking after it costs."""

import uuid

import pytest

from bedplate.services.task import TooManyTasksError
from bedplate.services.task.room import Room


class Waiting:
    """So many wait; counts how often it was asked."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.counts = 0

    async def __call__(self) -> int:
        self.counts += 1
        return self.number


async def test_bound_is_exact_for_one_process() -> None:
    """ALL-6: whatever was counted when."""
    room, waiting = Room(137), Waiting()
    for _ in range(137):
        await room.take(None, waiting)
        waiting.number += 1
    for _ in range(3):
        with pytest.raises(TooManyTasksError):
            await room.take(None, waiting)
    waiting.number -= 1
    await room.take(None, waiting)


async def test_runs_are_counted_seldom_while_there_is_room() -> None:
    """ALL-6: ten thousand submits do not count ten thousand rows each."""
    room, waiting = Room(10_000), Waiting()
    for _ in range(5_000):
        await room.take(None, waiting)
        waiting.number += 1
    assert waiting.counts < 15


async def test_owners_do_not_take_each_others_room() -> None:
    """ALL-4"""
    room, full = Room(5), Waiting(5)
    with pytest.raises(TooManyTasksError):
        await room.take(uuid.uuid4(), full)
    await room.take(uuid.uuid4(), Waiting(4))
