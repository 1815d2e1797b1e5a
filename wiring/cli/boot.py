"""Booting the services that a command needs, and no others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bedplate.containers import ApplicationContainer, application_container
from bedplate.services.settings import SettingsService
from bedplate.services.settings.reading import DEFAULT_ORIGIN

__all__ = ["running"]


@asynccontextmanager
async def running(*services: str) -> AsyncIterator[ApplicationContainer]:
    """Start the named services and what they need, for the length of a block.

    They log warnings and errors only, unless a log level is set.

    Args:
        *services: Names in the container.

    Raises:
        SettingsError: Settings are wrong; nothing was started.
        StartError: Services did not start; those that had are stopped again.
    """
    settings = SettingsService()
    if settings.origin("telemetry.log_level") == DEFAULT_ORIGIN:
        settings = SettingsService(telemetry={"log_level": "warning"})
    async with application_container(settings).running(*services) as container:
        yield container
