"""STORE-1 to STORE-3: the backends of the store, one suite for all."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.contract.fake_directus import FakeDirectus

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.database.models import UserRow
from bedplate.services.settings import SettingsService
from bedplate.services.store import StoreService
from bedplate.wiring.http import create_app
from bedplate.wiring.testing.clients import Clients
from bedplate.wiring.testing.database import copy_database
from bedplate.wiring.testing.serving import serving
from bedplate.wiring.testing.store import StoreConformance

_SECRET_KEY = "a-secret-key-of-the-tests-0123456789abcdef"


class Harness:
    """Stores over one database, and what is behind them."""

    backend = "local"

    def __init__(self, folder: Path, template: Path, *, postgres: str | None = None) -> None:
        self._folder = folder
        self._database = {"backend": "postgres", "url": postgres} if postgres else {}
        self._stack = AsyncExitStack()
        self._users: dict[str, uuid.UUID] = {}
        self._base: ApplicationContainer | None = None
        copy_database(template, folder)

    async def store(self, **values: Any) -> StoreService:
        container = await self._running(values) if values else await self._first()
        store: StoreService = container.store()
        for name, user_id in self._users.items():
            await self._give_key(store, name, user_id)
        return store

    async def user(self, name: str) -> uuid.UUID:
        container = await self._first()
        row = UserRow(username=name, username_key=name, password_hash="not-a-hash")
        async with container.database().transaction() as session:
            session.add(row)
        self._users[name] = row.id
        await self._give_key(container.store(), name, row.id)
        return row.id

    async def close(self) -> None:
        await self._stack.aclose()

    async def _first(self) -> ApplicationContainer:
        if self._base is None:
            self._base = await self._running({})
        return self._base

    async def _running(self, values: dict[str, Any]) -> ApplicationContainer:
        store = {"backend": self.backend, **await self._remote(), **values}
        settings = {
            "profile": "test",
            "data_dir": self._folder,
            "secret_key": _SECRET_KEY,
            "store": store,
            "database": self._database,
        }
        container = ApplicationContainer(settings=Singleton(SettingsService, **settings))
        await self._stack.enter_async_context(container.running(container.store))
        return container

    async def _give_key(self, store: StoreService, name: str, user_id: uuid.UUID) -> None:
        if store.enabled and (key := await self._key(name)) is not None:
            await store.save_key(user_id, SecretStr(key))

    async def _remote(self) -> dict[str, Any]:
        return {}

    async def _key(self, name: str) -> str | None:
        return None


class RemoteHarness(Harness):
    """Stores that call a second Bedplate on this machine, over HTTP."""

    backend = "remote"

    def __init__(self, folder: Path, template: Path) -> None:
        super().__init__(folder, template)
        self._template = template
        self._url: str | None = None
        self._clients: Clients | None = None

    async def _remote(self) -> dict[str, Any]:
        if self._url is None:
            folder = self._folder / "second"
            copy_database(self._template, folder)
            container = ApplicationContainer(
                settings=Singleton(SettingsService, profile="test", data_dir=folder, secret_key=_SECRET_KEY[::-1])
            )
            app = create_app(container)
            self._url = await self._stack.enter_async_context(serving(app))
            self._clients = Clients(app, container, self._stack)
        return {"remote_url": self._url, "remote_retry_delay": 0.0}

    async def _key(self, name: str) -> str | None:
        assert self._clients is not None
        client = await self._clients.with_key(name)
        return str(client.headers["x-api-key"])


class DirectusHarness(Harness):
    """Stores that call a fake of a Directus-shaped store, over HTTP."""

    backend = "directus"

    def __init__(self, folder: Path, template: Path) -> None:
        super().__init__(folder, template)
        self.fake = FakeDirectus()
        self._url: str | None = None

    async def _remote(self) -> dict[str, Any]:
        if self._url is None:
            self._url = await self._stack.enter_async_context(serving(self.fake.app, lifespan=False))
        return {
            "remote_url": self._url,
            "remote_retry_delay": 0.0,
            "remote_download_webhook": f"{self._url}/flows/trigger/download",
            "remote_like_webhook": f"{self._url}/flows/trigger/like",
        }

    async def _key(self, name: str) -> str | None:
        self.fake.users[f"token-of-{name}"] = name
        return f"token-of-{name}"


class TestLocal(StoreConformance):
    """STORE-1 and STORE-2 for the backend ``local``."""

    @pytest.fixture
    async def harness(self, tmp_path: Path, migrated_database: Path) -> AsyncIterator[Harness]:
        harness = Harness(tmp_path, migrated_database)
        yield harness
        await harness.close()


class TestRemote(StoreConformance):
    """STORE-3 for the backend ``remote``: another Bedplate, which is a real one."""

    @pytest.fixture
    async def harness(self, tmp_path: Path, migrated_database: Path) -> AsyncIterator[Harness]:
        harness = RemoteHarness(tmp_path, migrated_database)
        yield harness
        await harness.close()

    @pytest.mark.slow
    async def test_a_publication_that_is_cancelled_happens_wholly_or_not_at_all(
        self, store: StoreService, ann: uuid.UUID
    ) -> None:
        """STORE-1: there are many awaits on the way to another process."""
        await super().test_a_publication_that_is_cancelled_happens_wholly_or_not_at_all(store, ann)


class TestDirectus(StoreConformance):
    """STORE-3 for the backend ``directus``, against a fake."""

    versions = False
    new_tags = False
    namespaces = False
    checks_parents = False
    counts_at_once = False  # a like goes back and forth, and whether there is one is asked for first

    @pytest.fixture
    async def harness(self, tmp_path: Path, migrated_database: Path) -> AsyncIterator[Harness]:
        harness = DirectusHarness(tmp_path, migrated_database)
        yield harness
        await harness.close()

    @pytest.mark.slow
    async def test_a_publication_that_is_cancelled_happens_wholly_or_not_at_all(
        self, store: StoreService, ann: uuid.UUID
    ) -> None:
        """STORE-1: there are many awaits on the way to another process."""
        await super().test_a_publication_that_is_cancelled_happens_wholly_or_not_at_all(store, ann)


class TestPostgres(StoreConformance):
    """STORE-1 and STORE-2 for the backend ``local`` over PostgreSQL."""

    backend = "local (PostgreSQL)"

    @pytest.fixture
    async def harness(self, tmp_path: Path, migrated_database: Path, migrated_postgres: str) -> AsyncIterator[Harness]:
        harness = Harness(tmp_path, migrated_database, postgres=migrated_postgres)
        yield harness
        await harness.close()
