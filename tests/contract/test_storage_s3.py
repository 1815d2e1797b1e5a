"""STO-4: the suite of the storage on S3 APIs of two servers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select
from tests.servers.s3 import S3Server, new_bucket, objects, uploads

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import StoredFileRow, StoredWasteRow
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.s3 import S3Engine
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.storage import StorageService
from bedplate.services.storage.factory import build_storage
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.storage import StorageConformance
from bedplate.wiring.testing.storage.conditions import Conditions
from bedplate.wiring.testing.storage.listing import Listing
from bedplate.wiring.testing.storage.operations import Operations
from bedplate.wiring.testing.storage.quota import Quotas
from bedplate.wiring.testing.storage.streams import Streams


class Harness:
    """Storages over one bucket and one database."""

    def __init__(
        self,
        folder: Path,
        database: DatabaseService,
        keyring: Keyring,
        workers: Workers,
        engine: S3Engine,
        server: S3Server,
        bucket: str,
    ) -> None:
        self._folder = folder
        self._database = database
        self._keyring = keyring
        self._workers = workers
        self._engine = engine
        self._server = server
        self._bucket = bucket
        self._made: list[StorageService] = []

    async def storage(self, **values: Any) -> StorageService:
        values = self._server.settings(self._bucket, **values)
        settings = SettingsService(profile="test", data_dir=self._folder, storage=values)
        telemetry = TelemetryService(settings, Redactor(settings))
        service = build_storage(settings, telemetry, self._database, self._keyring, self._workers, lambda: self._engine)
        self._made.append(service)
        await service.start()
        return service

    async def leftovers(self) -> list[str]:
        """Objects that belong neither to a file nor to one that went and is kept for its readers, and uploads."""
        async with self._database.session() as session:
            known = set(await session.exec(select(StoredFileRow.key)))
            known |= set(await session.exec(select(StoredWasteRow.key).where(~col(StoredWasteRow.uploading))))
        kept = await objects(self._engine, self._server, self._bucket)
        names = {key.hex for key in known}
        assert names <= set(kept)
        return [key for key in kept if key not in names] + await uploads(self._engine, self._server, self._bucket)

    async def close(self) -> None:
        for service in self._made:
            await service.stop()


class _OnS3:
    @pytest.fixture
    async def harness(
        self,
        tmp_path: Path,
        database: DatabaseService,
        keyring: Keyring,
        workers: Workers,
        s3: S3Engine,
        server: S3Server,
    ) -> AsyncIterator[Harness]:
        bucket = await new_bucket(s3, server)
        harness = Harness(tmp_path, database, keyring, workers, s3, server, bucket)
        yield harness
        await harness.close()


@pytest.mark.xdist_group("moto")
class TestMoto(_OnS3, StorageConformance):
    """STO-4 on moto's server, with the index in a file."""

    backend = "s3 (moto)"

    @pytest.fixture
    def server(self, moto_server: S3Server) -> S3Server:
        return moto_server


@pytest.mark.postgres
@pytest.mark.xdist_group("rclone")
class TestRclone(_OnS3, Operations, Streams, Conditions, Quotas, Listing):
    """STO-4 on rclone's server, which checks signatures, with the index in PostgreSQL."""

    backend = "s3 (rclone, PostgreSQL)"

    @pytest.fixture
    def server(self, rclone_server: S3Server) -> S3Server:
        return rclone_server
