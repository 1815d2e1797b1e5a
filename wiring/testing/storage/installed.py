"""Storages of an installed backend, each in a container of its own: all that its suite needs."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from dependency_injector.providers import ThreadSafeSingleton as Singleton

from bedplate.containers import ApplicationContainer
from bedplate.services.settings import SettingsService
from bedplate.services.storage import StorageService
from bedplate.wiring.testing.database import copy_database

__all__ = ["InstalledStorage"]


class InstalledStorage:
    """A harness of the suite for a backend that is chosen by setting, as an application would.

    Args:
        backend: What ``BEDPLATE_STORAGE__BACKEND`` calls it.
        folder: An empty folder.
        template: The migrated database of the fixture ``migrated_database``.
    """

    def __init__(self, backend: str, folder: Path, template: Path) -> None:
        self._backend = backend
        self._folder = folder
        self._stack = AsyncExitStack()
        copy_database(template, folder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def storage(self, **settings: Any) -> StorageService:
        """See :class:`~bedplate.wiring.testing.storage.harness.StorageHarness`."""
        values = {"profile": "test", "data_dir": self._folder, "storage": {"backend": self._backend, **settings}}
        container = ApplicationContainer(settings=Singleton(SettingsService, **values))
        await self._stack.enter_async_context(container.running(container.storage))
        return container.storage()

    async def leftovers(self) -> list[str]:
        """Nothing that this harness could see; a backend that leaves something behind overrides it."""
        return []
