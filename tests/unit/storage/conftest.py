"""Fixtures of the storage tests."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.storage import Namespace, StorageService
from bedplate.services.storage.factory import build_storage
from bedplate.services.telemetry import TelemetryService


@pytest.fixture
async def storage(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
) -> AsyncIterator[StorageService]:
    service = build_storage(settings, telemetry, database, keyring, workers)
    await service.start()
    yield service
    await service.stop()


async def _add_user(database: DatabaseService, name: str) -> uuid.UUID:
    row = UserRow(username=name, username_key=name, password_hash="-")
    async with database.transaction() as session:
        session.add(row)
    return row.id


@pytest.fixture
async def user_id(database: DatabaseService) -> uuid.UUID:
    return await _add_user(database, "ada")


@pytest.fixture
async def other_id(database: DatabaseService) -> uuid.UUID:
    return await _add_user(database, "eve")


@pytest.fixture
def namespace(user_id: uuid.UUID) -> Namespace:
    return Namespace.user(user_id)


@pytest.fixture
def folder(settings: SettingsService, namespace: Namespace) -> Path:
    """Where the files of the namespace lie."""
    return settings.values.data_dir / "files" / str(namespace.owner) / f"user-{namespace.id}"
