"""Started tracing services, and users and flows to own runs."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import FlowRow, FolderRow
from bedplate.services.engines.redactor import Redactor
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService
from bedplate.services.tracing import Exporter, TracingService
from bedplate.services.tracing.database import exporters as database_exporters
from bedplate.services.tracing.factory import build_tracing

QUICK: dict[str, Any] = {
    "flush_interval": 0.0, "retry_delay": 0.001, "retry_delay_max": 0.01, "read_timeout": 5.0, "flush_timeout": 5.0
}  # fmt: skip

MakeTracing = Callable[..., Awaitable[TracingService]]


@pytest.fixture
async def make_tracing(
    tmp_path: Path, database: DatabaseService, redactor: Redactor, telemetry: TelemetryService
) -> AsyncIterator[MakeTracing]:
    """Starts tracing services with settings, and exporters, of the test's choice, on one database; stops them."""
    made: list[TracingService] = []

    async def make(exporters: Sequence[Exporter] | None = None, **tracing: Any) -> TracingService:
        settings = SettingsService(data_dir=tmp_path, tracing=QUICK | tracing)
        if exporters is None:
            service = build_tracing(settings, telemetry, database, redactor)
        else:
            service = TracingService(settings, telemetry, database, redactor, exporters)
        await service.start()
        made.append(service)
        return service

    yield make
    for service in made:
        await service.stop()


@pytest.fixture
async def tracing(make_tracing: MakeTracing) -> TracingService:
    return await make_tracing()


@pytest.fixture
def native(database: DatabaseService) -> Exporter:
    return database_exporters(database)[0]


@pytest.fixture
async def flow(database: DatabaseService, alice: uuid.UUID) -> uuid.UUID:
    """A flow of alice."""
    folder = FolderRow(user_id=alice, name="project")
    async with database.transaction() as session:
        session.add(folder)
        await session.flush()
        row = FlowRow(user_id=alice, folder_id=folder.id, name="flow")
        session.add(row)
    return row.id


@pytest.fixture
def metric(telemetry: TelemetryService) -> Callable[[str], float]:
    """The value of a metric, by the beginning of its line in the exposition."""

    def read(line: str) -> float:
        found = [text for text in telemetry.exposition().decode().splitlines() if text.startswith(line)]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    return read
