"""Services for measurements, on embedded defaults in a folder of their own."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from dependency_injector.providers import ThreadSafeSingleton as Singleton

from bedplate.containers import ApplicationContainer
from bedplate.services.settings import SettingsService

__all__ = ["container_in", "run_in", "temporary_folder"]


@contextmanager
def temporary_folder() -> Iterator[str]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bedplate-bench-") as folder:
        yield folder


@asynccontextmanager
async def container_in(folder: str, *only: str, **settings: Any) -> AsyncIterator[ApplicationContainer]:
    """A running container with its data in ``folder``: all services, or those named and what they need."""
    quiet = {"telemetry": {"log_level": "error"}}
    service = SettingsService(data_dir=folder, **(quiet | settings))
    container = ApplicationContainer(settings=Singleton(lambda: service))
    async with container.running(*only):
        yield container


@contextmanager
def run_in(runner: asyncio.Runner, folder: str, *only: str, **settings: Any) -> Iterator[ApplicationContainer]:
    """As :func:`container_in`, from code that is not asynchronous."""
    context = container_in(folder, *only, **settings)
    container = runner.run(context.__aenter__())
    try:
        yield container
    finally:
        runner.run(context.__aexit__(None, None, None))
