from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.database.factory import build_database
from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.database import copy_database


class MakeDatabase(Protocol):
    def __call__(self, *, migrated: bool = False, **settings: Any) -> DatabaseService: ...


@pytest.fixture
async def make_database(tmp_path: Path, migrated_database: Path) -> AsyncIterator[MakeDatabase]:
    """Builds a service on a data directory, always the same one, empty or migrated; stopped at the end."""
    made: list[DatabaseService] = []

    def make(*, migrated: bool = False, **values: Any) -> DatabaseService:
        if migrated:
            copy_database(migrated_database, tmp_path / "data")
        settings = SettingsService(data_dir=tmp_path / "data", database=values)
        made.append(build_database(settings, TelemetryService(settings, Redactor(settings))))
        return made[-1]

    yield make
    for service in made:
        await service.stop()
