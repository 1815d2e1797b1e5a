from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.database.factory import build_database
from bedplate.services.database.models import UserRow
from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

MEMORY = "sqlite+aiosqlite://"


class MakeDatabase(Protocol):
    def __call__(self, **settings: Any) -> DatabaseService: ...


@pytest.fixture
async def make_database(tmp_path: Path) -> AsyncIterator[MakeDatabase]:
    """Builds a service over settings of the database's own; stopped at the end."""
    made: list[DatabaseService] = []

    def make(**values: Any) -> DatabaseService:
        settings = SettingsService(data_dir=tmp_path / "data", database=values)
        made.append(build_database(settings, TelemetryService(settings, Redactor(settings))))
        return made[-1]

    yield make
    for service in made:
        await service.stop()


@pytest.fixture(params=["file", "memory"])
async def embedded(request: pytest.FixtureRequest, make_database: MakeDatabase) -> DatabaseService:
    """A started database in a file, then one in memory."""
    return await _started(request, make_database)


@pytest.fixture(params=["file", "memory", "postgres"])
async def either(request: pytest.FixtureRequest, make_database: MakeDatabase) -> DatabaseService:
    """A started database in a file, then one in memory, then one on PostgreSQL."""
    return await _started(request, make_database)


async def _started(request: pytest.FixtureRequest, make_database: MakeDatabase) -> DatabaseService:
    if request.param == "postgres":
        service = make_database(backend="postgres", url=request.getfixturevalue("migrated_postgres"))
    else:
        service = make_database(url=MEMORY) if request.param == "memory" else make_database()
    await service.start()
    return service


@pytest.fixture
def row() -> Callable[[str], UserRow]:
    return lambda name: UserRow(username=name, username_key=name, password_hash="$argon2id$not-shown")
