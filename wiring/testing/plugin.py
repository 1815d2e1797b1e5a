"""The pytest plugin, loaded by its entry point: a container for each test.

Nothing is imported before a test asks for a fixture, so that other test suites in the same environment pay nothing.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bedplate.containers import ApplicationContainer

__all__ = ["container", "container_settings"]


@pytest.fixture
def container_settings(tmp_path: Path) -> dict[str, object]:
    """Settings of the test's container; override the fixture, or change the dictionary, to add your own."""
    return {
        "profile": "test",
        "data_dir": tmp_path / "bedplate",
        "secret_key": "a-secret-key-of-tests-0123456789abcdef",
    }


@pytest.fixture
async def container(container_settings: dict[str, object]) -> "AsyncIterator[ApplicationContainer]":
    """A running container of the test's own on embedded backends; ``bedplate.wiring.deps`` answers from it."""
    from bedplate.containers import ApplicationContainer, Singleton
    from bedplate.services.settings import SettingsService
    from bedplate.wiring.lifespan import initialize_services, teardown_services

    made = ApplicationContainer(settings=Singleton(SettingsService, **container_settings))
    await initialize_services(made)
    yield made
    await teardown_services()
    made.unwire()
