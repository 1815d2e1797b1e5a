"""STO-1 and STO-2: the backends of the storage, one suite for all."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.storage import StorageService
from bedplate.services.storage.factory import build_storage
from bedplate.services.storage.names import is_name
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.storage import StorageConformance


class Harness:
    """Storages over one folder."""

    def __init__(self, folder: Path, database: DatabaseService, keyring: Keyring, workers: Workers) -> None:
        self._folder = folder
        self._keyring = keyring
        self._database = database
        self._workers = workers
        self._made: list[StorageService] = []

    async def storage(self, **values: Any) -> StorageService:
        settings = SettingsService(profile="test", data_dir=self._folder, storage=values)
        telemetry = TelemetryService(settings, Redactor(settings))
        service = build_storage(settings, telemetry, self._database, self._keyring, self._workers)
        self._made.append(service)
        await service.start()
        return service

    async def leftovers(self) -> list[str]:
        files = self._folder / "files"
        found = [path for depth in ("*", "*/*", "*/*/*") for path in files.glob(depth)]
        return [path.name for path in found if not is_name(path.name) or path.name.startswith(".gone-")]

    async def close(self) -> None:
        for service in self._made:
            await service.stop()


class TestLocal(StorageConformance):
    """STO-1 and STO-2 for the backend ``local``."""

    @pytest.fixture
    async def harness(
        self, tmp_path: Path, database: DatabaseService, keyring: Keyring, workers: Workers
    ) -> AsyncIterator[Harness]:
        harness = Harness(tmp_path, database, keyring, workers)
        yield harness
        await harness.close()
