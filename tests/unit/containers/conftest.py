"""Helpers of the tests of the core: services that write down what happens to them, modules made for one test."""

import asyncio
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bedplate.containers import ServiceContainer, Singleton
from bedplate.services.base import Service
from bedplate.services.settings import SettingsService


class Recorder(Service):
    """A service that writes what happens to it into a journal that all of a test share.

    ``fails``, ``hangs`` and ``cancels`` name the hooks (``"start"``, ``"stop"``) in which it raises, waits for ever,
    or raises a CancelledError of its own.
    """

    def __init__(
        self,
        name: str,
        journal: list[str],
        *needs: object,
        fails: str = "",
        hangs: str = "",
        cancels: str = "",
        ignores_cancellation: bool = False,
    ) -> None:
        self.name, self.journal, self.needs = name, journal, needs
        self.fails, self.hangs, self.cancels = fails, hangs, cancels
        self.ignores_cancellation = ignores_cancellation
        self.released = asyncio.Event()
        self.journal.append(f"build {name}")

    async def _start(self) -> None:
        await self._step("start")

    async def _stop(self) -> None:
        await self._step("stop")

    async def _step(self, hook: str) -> None:
        self.journal.append(f"{hook} {self.name}")
        await asyncio.sleep(0)
        if hook == self.fails:
            raise RuntimeError(f"{self.name} is broken")
        if hook == self.cancels:
            raise asyncio.CancelledError
        while hook == self.hangs and not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                if not self.ignores_cancellation:
                    raise
        self.journal.append(f"{hook}ed {self.name}".replace("stoped", "stopped"))


@pytest.fixture
def recorder() -> type[Recorder]:
    return Recorder


class Journal(list[str]):
    """A list that a container does not copy: providers copy the lists among their arguments."""

    def __deepcopy__(self, memo: object) -> "Journal":
        return self


@pytest.fixture
def journal() -> list[str]:
    return Journal()


Diamond = Callable[..., Any]


@pytest.fixture
def diamond(journal: list[str]) -> Diamond:
    """Makes a container of four recorders: ``left`` and ``right`` need ``base``, ``top`` needs both.

    Keywords named like a service are what is wrong with it; ``settings`` are those of the container.
    """

    def make(*, settings: object = None, **faults: dict[str, Any]) -> Any:
        class Container(ServiceContainer):
            base = Singleton(Recorder, "base", journal, **faults.get("base", {}))
            left = Singleton(Recorder, "left", journal, base, **faults.get("left", {}))
            right = Singleton(Recorder, "right", journal, base, **faults.get("right", {}))
            top = Singleton(Recorder, "top", journal, left, right, **faults.get("top", {}))

        container = Container()
        if settings is not None:
            container.add("settings", Singleton(lambda: settings))
        return container

    return make


@pytest.fixture
def quick_settings(monkeypatch: pytest.MonkeyPatch, settings: SettingsService) -> SettingsService:
    """Settings under which every service has a tenth of a second to start and to stop."""
    policy = settings.of("anything").model_copy(update={"start_timeout": 0.1, "stop_timeout": 0.1})
    monkeypatch.setattr(type(settings), "of", lambda _self, _name: policy)
    return settings


@pytest.fixture
def make_module() -> Iterator[Callable[..., types.ModuleType]]:
    """Makes an importable module from source text; it is gone after the test."""
    made: list[str] = []

    def make(name: str, source: str, **names: object) -> types.ModuleType:
        module = types.ModuleType(name)
        sys.modules[name] = module
        made.append(name)
        vars(module).update(names)
        module.__package__ = name.rpartition(".")[0] or name
        exec(compile(source, f"<{name}>", "exec"), vars(module))
        return module

    yield make
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def unwired() -> Iterator[list[ServiceContainer]]:
    """Containers put in this list are unwired after the test."""
    containers: list[ServiceContainer] = []
    yield containers
    for container in containers:
        container.unwire()
