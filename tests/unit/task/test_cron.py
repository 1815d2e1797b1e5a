"""Tasks of the system that come by themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.task.conftest import NewNode

from bedplate.services.task import TaskDefinitionError, TaskRegistry, TaskRun, TaskScheduleError
from bedplate.services.task.cron import Cron
from bedplate.services.task.scheduler import Scheduler
from bedplate.wiring.testing.task import Node

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
"""Tomorrow's: what is submitted meanwhile is older than any time of a cron expression after it."""


class Clock:
    """A clock that stands still until it is put forward."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def _runs(node: Node, name: str = "hourly") -> list[TaskRun]:
    return list((await node.tasks.list(None, name=name)).items)


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("0 0 30 2 *", "UTC"),
        ("0 0 31 4,6,9,11 *", "UTC"),
        ("60 * * * *", "UTC"),
        ("* * * *", "UTC"),
        ("@hourly", "UTC"),
        ("", "UTC"),
        ("* * * * *", "Nowhere/City"),
        ("* * * * *", "../../etc/passwd"),
        ("* * * * *", ""),
    ],
)
def test_cron_that_never_fires_is_refused(registry: TaskRegistry, expression: str, zone: str) -> None:
    """TASK-2: where the task is defined, and so at the start."""
    with pytest.raises(TaskScheduleError):

        @registry.task("never", cron=expression, cron_zone=zone)
        async def never() -> None: ...

    assert registry.names == ()


def test_task_that_needs_arguments_has_no_cron(registry: TaskRegistry) -> None:
    with pytest.raises(TaskDefinitionError, match="needs arguments"):

        @registry.task("needing", cron="* * * * *")
        async def needing(number: int) -> None: ...


def test_times_are_those_of_the_zone() -> None:
    """A time that the clocks skip fires when they have been put forward, one that comes twice fires once."""
    berlin = Cron("30 2 * * *", "Europe/Berlin")
    spring, autumn = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert berlin.following(spring) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert berlin.following(autumn) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert berlin.following(berlin.following(autumn)) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    assert Cron("30 2 * * *").following(spring) == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


def test_latest_is_the_last_of_several() -> None:
    quarter = Cron("*/15 * * * *")
    assert quarter.latest(NOON - timedelta(hours=3), NOON) == NOON
    assert quarter.latest(NOON, NOON + timedelta(minutes=14, seconds=59.9)) is None
    assert quarter.latest(NOON, NOON + timedelta(minutes=15)) == NOON + timedelta(minutes=15)


@pytest.fixture
def hourly(registry: TaskRegistry) -> list[int]:
    calls: list[int] = []

    @registry.task("hourly", cron="0 * * * *")
    async def hourly(number: int = 7) -> None:
        calls.append(number)

    return calls


async def test_time_that_comes_is_submitted_once_by_any_number_of_processes(
    new_node: NewNode, clock: Clock, hourly: list[int]
) -> None:
    """TASK-2: by a key that all agree on, also after it has been done."""
    nodes = [await new_node() for _ in range(2)]
    schedulers = [Scheduler(node.tasks, 0.0, clock) for node in nodes]
    clock.forward(minutes=59)
    assert [await scheduler.tick() for scheduler in schedulers] == [30.0, 30.0]
    assert await _runs(nodes[0]) == []
    clock.forward(minutes=1)
    for scheduler in schedulers:
        await scheduler.tick()
    (run,) = await _runs(nodes[0])
    await nodes[0].tasks.wait(None, run.id)
    late = Scheduler(nodes[1].tasks, 600.0, clock)
    await late.tick()
    assert len(await _runs(nodes[0])) == 1
    assert hourly == [7]
    clock.forward(hours=1)
    for scheduler in (*schedulers, late):
        await scheduler.tick()
    assert len(await _runs(nodes[0])) == 2


async def test_next_time_is_waited_for(node: Node, clock: Clock, hourly: list[int]) -> None:
    clock.forward(minutes=59, seconds=50)
    assert await Scheduler(node.tasks, 0.0, clock).tick() == 10.0


async def test_time_that_passed_while_nobody_was_there_is_made_up_for(
    node: Node, clock: Clock, hourly: list[int]
) -> None:
    """TASK-2: the last one, if it is not too long ago."""
    clock.forward(hours=3, minutes=5)
    await Scheduler(node.tasks, 200.0, clock).tick()
    assert await _runs(node) == []
    await Scheduler(node.tasks, 400.0, clock).tick()
    (run,) = await _runs(node)
    await node.tasks.wait(None, run.id)


async def test_time_is_left_out_while_the_last_run_goes_on(new_node: NewNode, clock: Clock, hourly: list[int]) -> None:
    """TASK-2: nothing piles up where no process executes."""
    web = await new_node(execute=False)
    scheduler = Scheduler(web.tasks, 0.0, clock)
    for _ in range(5):
        clock.forward(hours=1)
        await scheduler.tick()
    assert len(await _runs(web)) == 1


async def test_key_of_a_time_outlives_a_short_retention(new_node: NewNode, clock: Clock, hourly: list[int]) -> None:
    node = await new_node(retention=0.0)
    scheduler = Scheduler(node.tasks, 0.0, clock)
    clock.forward(hours=1)
    await scheduler.tick()
    (run,) = await _runs(node)
    await node.tasks.wait(None, run.id)
    assert await node.tasks.delete_old() == 0
    await Scheduler(node.tasks, 600.0, clock).tick()
    assert len(await _runs(node)) == 1
