"""Starting: along the graph, all or nothing, one error that names every service that failed."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from dependency_injector import providers

from bedplate.containers import ServiceContainer, Singleton, State
from bedplate.containers.errors import StartError, StepTimeoutError
from bedplate.services.base import Service
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import LifecycleError
from bedplate.services.settings import SettingsService

Diamond = Callable[..., Any]

NAMES = ("base", "left", "right", "top")


def position(journal: list[str], *entries: str) -> list[int]:
    return [journal.index(entry) for entry in entries]


async def test_a_service_starts_when_those_it_needs_have(diamond: Diamond, journal: list[str]) -> None:
    container = diamond()
    report = await container.init_resources()
    assert [one.state for one in report.services] == [State.STARTED] * 4
    order = position(journal, "started base", "start left", "started left", "start top")
    assert order == sorted(order)
    order = position(journal, "started base", "start right", "started right", "start top")
    assert order == sorted(order)
    await container.shutdown_resources()


async def test_independent_services_start_together_and_not_in_levels(recorder: Any, journal: list[str]) -> None:
    """``quick`` needs only ``base`` and does not wait for ``slow``, which stands on the same level as its need."""
    gate = asyncio.Event()

    class Slow(Service):
        async def _start(self) -> None:
            await gate.wait()

    class Opens(Service):
        def __init__(self, base: object) -> None: ...

        async def _start(self) -> None:
            gate.set()

    class Container(ServiceContainer):
        base = Singleton(recorder, "base", journal)
        slow = Singleton(Slow)
        quick = Singleton(Opens, base)

    async with Container().running():
        assert gate.is_set()


@pytest.mark.parametrize("broken", NAMES)
async def test_when_a_service_fails_what_was_entered_is_stopped_dependants_first(
    diamond: Diamond, journal: list[str], broken: str
) -> None:
    """Each service failing in turn."""
    container = diamond(**{broken: {"fails": "start"}})
    with pytest.raises(StartError) as error:
        await container.init_resources()
    assert f"{broken}: RuntimeError: {broken} is broken" in str(error.value)
    assert list(error.value.failures) == [broken]
    assert isinstance(error.value, LifecycleError)
    assert isinstance(error.value.__cause__, RuntimeError)
    assert not container.started
    started = [entry.split()[1] for entry in journal if entry.startswith("start ")]
    stopped = [entry.split()[1] for entry in journal if entry.startswith("stopped ")]
    assert sorted(started) == sorted(set(stopped))
    order = [stopped.index(name) for name in ("top", "left", "base") if name in stopped and name != broken]
    assert order == sorted(order)
    assert container.report[broken].state is State.FAILED


async def test_one_error_names_every_service_that_failed(diamond: Diamond, journal: list[str]) -> None:
    container = diamond(left={"fails": "start"}, right={"fails": "start"})
    with pytest.raises(StartError) as error:
        await container.init_resources()
    assert set(error.value.failures) == {"left", "right"}
    assert "could not start 2 services: left: RuntimeError: left is broken; right: RuntimeError" in str(error.value)
    assert isinstance(error.value.__cause__, ExceptionGroup)
    assert len(error.value.exceptions) == 2
    assert "start top" not in journal


async def test_a_rollback_that_fails_is_told_too(diamond: Diamond) -> None:
    container = diamond(base={"fails": "stop"}, top={"fails": "start"})
    with pytest.raises(StartError, match=r"could not start 1 service: top.*could not be stopped: base") as error:
        await container.init_resources()
    assert list(error.value.rollback) == ["base"]


async def test_a_service_that_cancels_itself_has_failed(diamond: Diamond) -> None:
    """Its CancelledError is nobody's cancellation, and must not hang those that wait for it."""
    container = diamond(left={"cancels": "start"})
    with pytest.raises(StartError, match="left: it was cancelled from within"):
        await container.init_resources()
    assert not container.started


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_service_that_hangs_in_start_fails_in_time(
    diamond: Diamond, journal: list[str], quick_settings: SettingsService, stubborn: bool
) -> None:
    fault = {"hangs": "start", "ignores_cancellation": stubborn}
    container = diamond(settings=quick_settings, left=fault)
    with pytest.raises(StartError, match=r"left: did not start within 0.1 s") as error:
        await container.init_resources()
    assert isinstance(error.value.failures["left"], StepTimeoutError)
    assert isinstance(error.value.failures["left"], TimeoutError)
    assert "stopped base" in journal
    container.left().released.set()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


async def test_a_constructor_that_fails_is_a_failed_service(recorder: Any, journal: list[str]) -> None:
    class Broken:
        def __init__(self, base: object) -> None:
            raise ValueError("no such mode")

    class Container(ServiceContainer):
        base = Singleton(recorder, "base", journal)
        broken = Singleton(Broken, base)

    with pytest.raises(StartError, match="broken: ValueError: no such mode"):
        await Container().init_resources()
    assert journal[-1] == "stopped base"


async def test_a_failed_container_can_be_started_again(diamond: Diamond) -> None:
    container = diamond(left={"fails": "start"})
    with pytest.raises(StartError):
        await container.init_resources()
    container.left().fails = ""
    async with container.running():
        assert container.top().started
    assert not container.top().started


# Secrets


async def test_no_error_text_carries_a_secret(settings: SettingsService) -> None:
    """ALL-3: the text of a foreign exception is masked before it is raised, reported or logged."""

    class Leaky(Service):
        def __init__(self, redactor: Redactor) -> None:
            self.redactor = redactor

        async def _start(self) -> None:
            self.redactor.register("correct-horse-battery")
            raise OSError("cannot reach postgres://app:hunter2@db/x with correct-horse-battery")

    class Container(ServiceContainer):
        redactor = Singleton(Redactor, providers.Object(settings))
        leaky = Singleton(Leaky, redactor)

    container = Container()
    with pytest.raises(StartError) as error:
        await container.init_resources()
    for text in (str(error.value), container.report.table(), container.report.json().decode()):
        assert "hunter2" not in text
        assert "correct-horse-battery" not in text
        assert "cannot reach postgres://" in text


# Optional services


class CacheOptional(SettingsService):
    def __init__(self) -> None:
        super().__init__(cache={"required": False, "backend": "memory"})


async def test_an_optional_service_that_fails_leaves_the_rest_running_degraded(
    recorder: Any, journal: list[str]
) -> None:
    class Container(ServiceContainer):
        settings = Singleton(CacheOptional)
        cache = Singleton(recorder, "cache", journal, fails="start")
        user = Singleton(recorder, "user", journal, cache)

    container = Container()
    async with container.running():
        assert container.report["cache"].state is State.FAILED
        assert container.report["cache"].error == "RuntimeError: cache is broken"
        assert container.report.degraded == ["cache"]
        assert container.user().started
    assert container.report["user"].state is State.STOPPED


async def test_a_second_start_tries_a_failed_optional_service_again(recorder: Any, journal: list[str]) -> None:
    class Container(ServiceContainer):
        settings = Singleton(CacheOptional)
        cache = Singleton(recorder, "cache", journal, fails="start")

    container = Container()
    await container.init_resources()
    container.cache().fails = ""
    report = await container.init_resources()
    assert report["cache"].state is State.STARTED
    assert report.degraded == []
    await container.shutdown_resources()


# Twice, at once, in parts


async def test_two_starts_at_once_start_each_service_once(diamond: Diamond, journal: list[str]) -> None:
    container = diamond()
    reports = await asyncio.gather(container.init_resources(), container.init_resources())
    assert reports[0] is not None
    assert [journal.count(f"start {name}") for name in NAMES] == [1, 1, 1, 1]
    await container.init_resources()
    assert [journal.count(f"start {name}") for name in NAMES] == [1, 1, 1, 1]
    await container.shutdown_resources()


async def test_running_starts_one_service_and_what_it_needs(diamond: Diamond, journal: list[str]) -> None:
    """Design card: ``running(container.database)`` starts one service and what it needs."""
    container = diamond()
    async with container.running(container.left):
        assert container.report["left"].state is State.STARTED
        assert container.report["top"].state is State.NOT_NEEDED
    assert [entry for entry in journal if entry.startswith("start ")] == ["start base", "start left"]


async def test_a_later_start_adds_what_is_missing(diamond: Diamond, journal: list[str]) -> None:
    container = diamond()
    await container.init_resources(only=["left"])
    await container.init_resources()
    assert [journal.count(f"start {name}") for name in NAMES] == [1, 1, 1, 1]
    await container.shutdown_resources()
    assert [journal.count(f"stop {name}") for name in NAMES] == [1, 1, 1, 1]


async def test_a_later_start_that_fails_leaves_the_earlier_running(diamond: Diamond) -> None:
    container = diamond(top={"fails": "start"})
    await container.init_resources(only=["left"])
    with pytest.raises(StartError, match="top"):
        await container.init_resources()
    assert container.left().started
    assert not container.right().started
    await container.shutdown_resources()
    assert not container.left().started


# Building


def test_16_threads_at_once_build_one_object() -> None:
    """Shared dependencies, too: a lock for the requested service alone builds them twice."""
    built: list[object] = []
    barrier = threading.Barrier(16)

    class Shared:
        def __init__(self) -> None:
            built.append(self)

    class User:
        def __init__(self, shared: Shared) -> None:
            self.shared = shared
            built.append(self)

    class Container(ServiceContainer):
        shared = Singleton(Shared)
        one = Singleton(User, shared)
        two = Singleton(User, shared)

    container = Container()

    def resolve(index: int) -> User:
        barrier.wait()
        return (container.one, container.two)[index % 2]()

    with ThreadPoolExecutor(16) as pool:
        users = list(pool.map(resolve, range(16)))
    assert len(built) == 3
    assert len({id(user) for user in users}) == 2
    assert len({id(user.shared) for user in users}) == 1


async def test_a_start_builds_on_the_loop_and_does_nothing_else_before(diamond: Diamond, journal: list[str]) -> None:
    """Constructors do no I/O, so building a container builds nothing."""
    container = diamond()
    assert journal == []
    _ = container.report
    assert journal == []


# Overrides


class Fake:
    """Not a service: it has nothing to start."""

    label = "fake"


@pytest.mark.parametrize("way", ["before", "keyword", "object"])
async def test_an_override_before_the_start_takes_the_place(recorder: Any, journal: list[str], way: str) -> None:
    """Design card: override before start."""

    class Container(ServiceContainer):
        base = Singleton(recorder, "base", journal)
        user = Singleton(recorder, "user", journal, base)

    container: Any = Container(base=Singleton(Fake)) if way == "keyword" else Container()
    if way != "keyword":
        container.base.override(Singleton(Fake) if way == "before" else Fake())
    async with container.running():
        assert container.user().needs[0] is container.base()
        assert container.base().label == "fake"
        assert container.report["base"].origin == "override"
        assert container.report["base"].backend == "Fake"
    assert "build base" not in journal


async def test_an_override_that_is_a_service_is_started_in_its_place(
    diamond: Diamond, recorder: Any, journal: list[str]
) -> None:
    container = diamond()
    with container.base.override(Singleton(recorder, "fake base", journal)):
        async with container.running():
            assert container.base().started
    assert "build base" not in journal
    order = position(journal, "started fake base", "start left", "stopped left", "stop fake base")
    assert order == sorted(order)


async def test_an_override_after_the_start_is_started_by_the_next(
    diamond: Diamond, recorder: Any, journal: list[str]
) -> None:
    """Design card: override after start."""
    container = diamond()
    await container.init_resources()
    with container.base.override(Singleton(recorder, "fake base", journal)):
        assert container.base().name == "fake base"
        await container.init_resources()
        assert container.base().started
    assert container.base().name == "base"
    assert container.base().started
    await container.shutdown_resources()
    assert "stopped fake base" in journal
    assert "stopped base" in journal
