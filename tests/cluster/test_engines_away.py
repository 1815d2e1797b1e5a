"""Each engine stopped and started again under load: clear answers meanwhile, nothing lost, and no restart needed."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cluster.load import Load
from tests.servers.replicas import PASSWORD, Replica, shared_environment, signed_in
from tests.servers.s3 import new_bucket, rclone

from bedplate.services.engines.s3 import S3Engine
from bedplate.wiring.testing.servers.postgres import free_port, new_database, postgres
from bedplate.wiring.testing.servers.valkey import ValkeyServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Stoppable:
    """A server that runs for the length of a block, run again and again over the same data and port."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._stack = contextlib.ExitStack()

    def start(self) -> Any:
        return self._stack.enter_context(self._server())

    def stop(self) -> None:
        self._stack.close()


async def _readiness(replica: Replica, status: int) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        # The probe of a platform, which asks again and again.
        while (await client.get(f"{replica.url}/readyz", timeout=30)).status_code != status:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _survives(replica: Replica, load: Load, engine: Stoppable) -> None:
    async with load.running():
        await load.until_answered()
        await asyncio.to_thread(engine.stop)
        await load.until(503, more=5)
        await _readiness(replica, 503)
        await asyncio.to_thread(engine.start)
        await _readiness(replica, 200)
        await load.until_answered()
    await load.verify()
    assert load.violations == []


async def test_postgres_away(tmp_path: Path) -> None:
    """DB-1, ALL-5: stopped by its administrator, whose connections it ends, and started again."""
    port = free_port()
    folder = tmp_path / "postgres"
    folder.mkdir()
    server = Stoppable(lambda: postgres(folder, port=port))
    database = new_database(server.start())
    try:
        with Replica(tmp_path / "replica", shared_environment(database=database)) as replica:
            await _survives(replica, Load([replica.url], signed_in(replica.url, "ada"), files=False), server)
    finally:
        server.stop()


async def test_s3_away(tmp_path: Path, s3: S3Engine, postgres_database: str) -> None:
    """STO-4, ALL-5: files are refused meanwhile, and everything else goes on."""
    port = free_port()
    folder = tmp_path / "s3"
    folder.mkdir()
    server = Stoppable(lambda: rclone(folder, port=port))
    address = server.start()
    settings = address.settings(await new_bucket(s3, address), s3_connect_timeout=1, s3_retries=1)
    values = {f"STORAGE__{key.upper()}": str(value) for key, value in settings.items()}
    try:
        with Replica(tmp_path / "replica", shared_environment(database=postgres_database, **values)) as replica:
            await _survives(replica, Load([replica.url], signed_in(replica.url, "ada")), server)
    finally:
        server.stop()


async def test_valkey_away(tmp_path: Path, postgres_database: str) -> None:
    """CACHE-6, AUTH-5, ALL-5: logins are refused, everything else goes on, and all recovers by itself."""
    backends = {"CACHE__BACKEND": "two_tier", "AUTH__THROTTLE": "redis", "SHARED_COMPONENT_CACHE__BACKEND": "redis"}
    with ValkeyServer(tmp_path) as server:
        environment = shared_environment(database=postgres_database, redis=server.url, **backends)
        with Replica(tmp_path / "replica", environment) as replica:
            load = Load([replica.url], signed_in(replica.url, "ada"), files=False)
            async with load.running():
                await load.until_answered()
                await asyncio.to_thread(server.stop)
                await _readiness(replica, 503)
                login = await _login(replica, "ada")
                assert login.status_code == 503
                assert login.headers["retry-after"]
                assert login.json()["type"].endswith("redis_unavailable")
                assert "127.0.0.1" not in login.text
                await load.until_answered()
                await asyncio.to_thread(server.start)
                await _readiness(replica, 200)
                assert (await _login(replica, "ada")).status_code == 200
                await load.until_answered()
            await load.verify()
            assert load.violations == []


async def _login(replica: Replica, name: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as client:
        return await client.post(f"{replica.url}/api/v1/login", data={"username": name, "password": PASSWORD})
