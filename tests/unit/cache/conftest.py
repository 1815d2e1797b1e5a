"""Fixtures of the cache tests."""

from collections.abc import AsyncIterator

import pytest

from bedplate.services.cache import CacheService
from bedplate.services.cache.factory import build_cache
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService


@pytest.fixture
async def cache(
    settings: SettingsService, telemetry: TelemetryService, workers: Workers
) -> AsyncIterator[CacheService]:
    service = build_cache(settings, telemetry, workers)
    await service.start()
    yield service
    await service.stop()
