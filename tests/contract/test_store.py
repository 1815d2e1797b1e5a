"""STORE-1 and STORE-2: the backends of the store, one suite for all."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

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
from bedplate.wiring.testing.store import StoreConformance

NewUser = Callable[[str], Awaitable[uuid.UUID]]


class LocalHarness:
    """Stores over one database."""

    def __init__(
        self,
        folder: Path,
        database: DatabaseService,
        keyring: Keyring,
        redactor: Redactor,
        workers: Workers,
        variable: VariableService,
        new_user: NewUser,
    ) -> None:
        self._folder = folder
        self._parts = (database, keyring, redactor, workers, variable)
        self._new_user = new_user
        self._made: list[StoreService] = []

    async def store(self, **values: Any) -> StoreService:
        settings = SettingsService(profile="test", data_dir=self._folder, store=values)
        service = build_store(settings, *self._parts)
        self._made.append(service)
        await service.start()
        return service

    async def user(self, name: str) -> uuid.UUID:
        return await self._new_user(name)

    async def close(self) -> None:
        for service in self._made:
            await service.stop()


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


class TestLocal(StoreConformance):
    """STORE-1 and STORE-2 for the backend ``local``."""

    @pytest.fixture
    async def harness(
        self,
        tmp_path: Path,
        database: DatabaseService,
        keyring: Keyring,
        redactor: Redactor,
        workers: Workers,
        variable: VariableService,
        new_user: NewUser,
    ) -> AsyncIterator[LocalHarness]:
        harness = LocalHarness(tmp_path, database, keyring, redactor, workers, variable, new_user)
        yield harness
        await harness.close()
