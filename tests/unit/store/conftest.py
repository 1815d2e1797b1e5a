"""A store over a database of the test's own."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import UserRow
from bedplate.services.settings import SettingsService
from bedplate.services.store import StoreService
from bedplate.wiring.testing.database import copy_database


@pytest.fixture
def store_settings() -> dict[str, Any]:
    """Settings beside the store's own defaults."""
    return {}


@pytest.fixture
async def container(
    tmp_path: Path, migrated_database: Path, store_settings: dict[str, Any]
) -> AsyncIterator[ApplicationContainer]:
    copy_database(migrated_database, tmp_path)
    settings = {"profile": "test", "data_dir": tmp_path, **store_settings}
    made = ApplicationContainer(settings=Singleton(SettingsService, **settings))
    async with made.running(made.store):
        yield made


@pytest.fixture
def store(container: ApplicationContainer) -> StoreService:
    return container.store()


@pytest.fixture
def database(container: ApplicationContainer) -> DatabaseService:
    return container.database()


@pytest.fixture
async def ann(database: DatabaseService) -> uuid.UUID:
    return await _user(database, "ann")


@pytest.fixture
async def bob(database: DatabaseService) -> uuid.UUID:
    return await _user(database, "bob")


async def _user(database: DatabaseService, name: str) -> uuid.UUID:
    row = UserRow(username=name, username_key=name, password_hash="not-a-hash")
    async with database.transaction() as session:
        session.add(row)
    return row.id
