"""Stopping: dependants first, each within its time, never ended by an error or a cancellation."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bedplate.containers import ServiceContainer, Singleton, State
from bedplate.containers.errors import StepTimeoutError, StopError
from bedplate.services.base import Service
from bedplate.services.errors import LifecycleError
from bedplate.services.settings import SettingsService

Diamond = Callable[..., Any]

NAMES = ("base", "left", "right", "top")


def steps(journal: list[str], hook: str) -> list[str]:
    return [entry.split()[1] for entry in journal if entry.split()[0] == hook]


async def test_dependants_stop_first_and_independents_together(diamond: Diamond, journal: list[str]) -> None:
    """The reverse of the start, not the order of creation."""
    container = diamond()
    async with container.running():
        journal.clear()
    assert journal[:2] == ["stop top", "stopped top"]
    assert sorted(journal[2:4]) == ["stop left", "stop right"]
    assert journal[-2:] == ["stop base", "stopped base"]
    assert [one.state for one in container.report.services] == [State.STOPPED] * 4


@pytest.mark.parametrize("fault", ["fails", "cancels"])
@pytest.mark.parametrize("broken", NAMES)
async def test_a_service_that_fails_in_stop_does_not_keep_the_others_from_stopping(
    diamond: Diamond, journal: list[str], broken: str, fault: str
) -> None:
    """A CancelledError of its own is no exception: the manager before this one left the rest running."""
    container = diamond(**{broken: {fault: "stop"}})
    await container.init_resources()
    with pytest.raises(StopError) as error:
        await container.shutdown_resources()
    assert list(error.value.failures) == [broken]
    assert isinstance(error.value, LifecycleError)
    words = "is broken" if fault == "fails" else "cancelled from within"
    assert words in str(error.value)
    assert sorted(steps(journal, "stopped")) == sorted(set(NAMES) - {broken})
    assert not container.started
    assert container.report[broken].error


async def test_all_errors_of_a_stop_are_collected(diamond: Diamond) -> None:
    container = diamond(left={"fails": "stop"}, top={"fails": "stop"})
    await container.init_resources()
    with pytest.raises(StopError, match=r"could not stop 2 services: top: .*; left: ") as error:
        await container.shutdown_resources()
    assert set(error.value.failures) == {"left", "top"}
    assert isinstance(error.value.__cause__, ExceptionGroup)


@pytest.mark.parametrize("stubborn", [False, True], ids=["hangs", "ignores cancellation"])
@pytest.mark.parametrize("broken", NAMES)
async def test_a_service_that_hangs_in_stop_does_not_keep_the_others_from_stopping(
    diamond: Diamond, journal: list[str], quick_settings: SettingsService, broken: str, stubborn: bool
) -> None:
    fault = {"hangs": "stop", "ignores_cancellation": stubborn}
    container = diamond(settings=quick_settings, **{broken: fault})
    await container.init_resources()
    with pytest.raises(StopError, match=f"{broken}: did not stop within 0.1 s") as error:
        await container.shutdown_resources()
    assert isinstance(error.value.failures[broken], StepTimeoutError)
    assert sorted(steps(journal, "stopped")) == sorted(set(NAMES) - {broken})
    container.providers[broken]().released.set()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


async def test_all_services_that_hang_are_within_the_budget_together(
    diamond: Diamond, journal: list[str], settings: SettingsService
) -> None:
    """Each gets its turn, though each may take longer than all together have."""
    server = settings.values.server.model_copy(update={"stop_timeout": 0.4})
    short = SettingsService.__new__(SettingsService)
    vars(short).update(vars(settings), values=settings.values.model_copy(update={"server": server}))
    faults = {name: {"hangs": "stop"} for name in NAMES}
    container = diamond(settings=short, **faults)
    await container.init_resources()
    begun = asyncio.get_running_loop().time()
    with pytest.raises(StopError) as error:
        await container.shutdown_resources()
    assert set(error.value.failures) == set(NAMES)
    assert sorted(steps(journal, "stop")) == sorted(NAMES)
    # Not a measurement: the services are allowed 10 s each, and there are three layers of them.
    assert asyncio.get_running_loop().time() - begun < 5


async def test_stop_may_be_called_twice_and_at_once(diamond: Diamond, journal: list[str]) -> None:
    container = diamond()
    await container.shutdown_resources()
    await container.init_resources()
    await asyncio.gather(container.shutdown_resources(), container.shutdown_resources())
    await container.shutdown_resources()
    assert [journal.count(f"stop {name}") for name in NAMES] == [1, 1, 1, 1]


async def test_a_stop_during_a_start_stops_what_it_started(diamond: Diamond, journal: list[str]) -> None:
    container = diamond()
    start = asyncio.create_task(container.init_resources())
    await asyncio.sleep(0)
    await container.shutdown_resources()
    await start
    assert not container.started
    assert sorted(steps(journal, "stopped")) == sorted(NAMES)


async def test_a_replaced_service_is_stopped_all_the_same(diamond: Diamond, journal: list[str]) -> None:
    """What is stopped is what was started, whatever the providers answer now."""
    container = diamond()
    await container.init_resources()
    container.base.override(object())
    await container.shutdown_resources()
    assert "stopped base" in journal


async def test_leaving_running_by_an_error_stops_and_keeps_the_error(diamond: Diamond) -> None:
    container = diamond()
    with pytest.raises(KeyError, match="mine"):
        async with container.running():
            raise KeyError("mine")
    assert not container.started


async def test_what_calls_any_service_starts_last_and_stops_first() -> None:
    """It does without them, so that one that is optional and does not start keeps it from nothing."""
    journal: list[str] = []

    class Noted(Service):
        def __init__(self, name: str, fails: bool = False) -> None:
            self.name, self.fails = name, fails

        async def _start(self) -> None:
            if self.fails:
                raise OSError
            journal.append(f"start {self.name}")

        async def _stop(self) -> None:
            journal.append(f"stop {self.name}")

    class Worker(Noted):
        follows_all = True

        def __init__(self, one: Noted) -> None:
            super().__init__("worker")

    class Container(ServiceContainer):
        settings = Singleton(SettingsService, profile="test", cache={"required": False})
        one = Singleton(Noted, "one")
        worker = Singleton(Worker, one)
        two = Singleton(Noted, "two")
        three = Singleton(Noted, "three")
        cache = Singleton(Noted, "cache", fails=True)

    container = Container()
    async with container.running():
        assert journal[-1] == "start worker"
        journal.clear()
    assert journal[0] == "stop worker"
    assert container.report["worker"].needs == ["one"]
    async with container.running("worker"):
        assert journal[-2:] == ["start one", "start worker"]
