"""The store keys of users (STORE-1)."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.database.models import UserRow
from bedplate.services.database.repositories.store_key import StoreKeyRepository
from bedplate.services.engines.cipher import Cipher
from bedplate.services.settings import SettingsService
from bedplate.services.store import StoreService, UnreadableStoreKeyError
from bedplate.services.store.keys import StoreKeys
from bedplate.wiring.testing.database import copy_database

FIRST, SECOND = "the-first-secret-key-0123456789abcdef", "the-second-secret-key-0123456789abcdef"
KEY = "the-store-key-of-a-user"


@asynccontextmanager
async def installation(folder: Path, **settings: Any) -> AsyncIterator[ApplicationContainer]:
    container = ApplicationContainer(settings=Singleton(SettingsService, profile="test", data_dir=folder, **settings))
    async with container.running(container.store):
        yield container


async def _keys(store: StoreService, user_id: uuid.UUID) -> str | None:
    key = await store._ready().get(user_id)
    return None if key is None else key.get_secret_value()


@pytest.fixture
async def users(tmp_path: Path, migrated_database: Path) -> list[uuid.UUID]:
    """Two users, whose keys are sealed with the first secret key."""
    copy_database(migrated_database, tmp_path)
    rows = [UserRow(username=name, username_key=name, password_hash="not-a-hash") for name in ("ann", "ben")]
    ids = [row.id for row in rows]
    async with installation(tmp_path, secret_key=FIRST) as container:
        async with container.database().transaction() as session:
            session.add_all(rows)
        for id_ in ids:
            await container.store().save_key(id_, SecretStr(f"{KEY}-{id_}"))
    return ids


async def test_keys_survive_a_change_of_the_secret_key(tmp_path: Path, users: list[uuid.UUID]) -> None:
    """STORE-1, VAR-2: one by its next use, the others by a rotation; then the earlier secret key is not needed."""
    async with installation(tmp_path, secret_key=SECOND, previous_secret_keys=[FIRST]) as container:
        store = container.store()
        assert await _keys(store, users[0]) == f"{KEY}-{users[0]}"
        assert await store.reseal_keys() == 1
        assert await store.reseal_keys() == 0
    async with installation(tmp_path, secret_key=SECOND) as container:
        for id_ in users:
            assert await _keys(container.store(), id_) == f"{KEY}-{id_}"


async def test_another_secret_key_opens_nothing(tmp_path: Path, users: list[uuid.UUID]) -> None:
    """STORE-1: and a rotation leaves what it cannot open, for whoever finds the right key."""
    async with installation(tmp_path, secret_key=FIRST) as container:
        others = StoreKeys(container.database(), container.redactor(), [Cipher(b"x" * 32, "0" * 12)])
        assert await others.reseal() == 0
        for id_ in users:
            with pytest.raises(UnreadableStoreKeyError):
                await others.get(id_)
        await others.save(users[0], SecretStr("a-new-key"))
        assert await others.get(users[0]) == SecretStr("a-new-key")
        with pytest.raises(UnreadableStoreKeyError):
            await _keys(container.store(), users[0])
        assert await _keys(container.store(), users[1]) == f"{KEY}-{users[1]}"


async def test_a_key_opens_for_its_user_alone(tmp_path: Path, users: list[uuid.UUID]) -> None:
    """STORE-1: what is copied to another user's row is no key."""
    async with installation(tmp_path, secret_key=FIRST) as container:
        async with container.database().transaction() as session:
            keys = StoreKeyRepository(session)
            await keys.set(users[1], await keys.get(users[0]))
        with pytest.raises(UnreadableStoreKeyError):
            await _keys(container.store(), users[1])
        await container.store().delete_key(users[0])
        assert await _keys(container.store(), users[0]) is None
        assert await _keys(container.store(), uuid.uuid4()) is None
