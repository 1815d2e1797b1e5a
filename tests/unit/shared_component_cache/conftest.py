"""Fixtures of the tests of the shared component cache."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache import SharedComponentCacheService
from bedplate.services.telemetry import TelemetryService


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "components"
    folder.mkdir()
    return folder


@pytest.fixture
async def components(
    settings: SettingsService, folder: Path, telemetry: TelemetryService, workers: Workers
) -> AsyncIterator[SharedComponentCacheService]:
    values = {"components_path": [str(folder)], "max_objects": 4, "max_objects_per_user": 3, "reload_timeout": 5.0}
    found = SettingsService(data_dir=settings.values.data_dir, shared_component_cache=values)
    service = SharedComponentCacheService(found, telemetry, workers)
    yield service
    await service.stop()
