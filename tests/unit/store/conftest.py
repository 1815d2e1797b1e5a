"""A store over a database of the test's own."""

import uuid
from collections.abc import AsyncIterator

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.store import StoreService
from bedplate.services.store.factory import build_store
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable import VariableService
from bedplate.services.variable.factory import build_variable


@pytest.fixture
async def variable(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    redactor: Redactor,
) -> AsyncIterator[VariableService]:
    service = build_variable(settings, telemetry, database, keyring, redactor)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def store(
    settings: SettingsService,
    database: DatabaseService,
    keyring: Keyring,
    redactor: Redactor,
    workers: Workers,
    variable: VariableService,
) -> AsyncIterator[StoreService]:
    service = build_store(settings, database, keyring, redactor, workers, variable)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def ann(alice: uuid.UUID) -> uuid.UUID:
    return alice
