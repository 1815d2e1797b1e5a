"""SCC-4: replicas agree on the digest, and a change on one reaches all."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.unit.shared_component_cache.test_reload import write

from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.engines.redis_errors import RedisUnavailableError
from bedplate.services.engines.workers import Workers
from bedplate.services.health import HealthStatus
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache import SharedComponentCacheService
from bedplate.services.shared_component_cache.factory import build_shared_component_cache
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.servers.valkey import ValkeyServer

pytestmark = pytest.mark.xdist_group("valkey")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "components"
    made.mkdir()
    return made


@asynccontextmanager
async def replica(url: str, folder: Path) -> AsyncIterator[SharedComponentCacheService]:
    """One replica, with clients and threads of its own."""
    settings = SettingsService(
        profile="test",
        redis={"url": url},
        shared_component_cache={"backend": "redis", "components_path": [str(folder)]},
    )
    async with AsyncExitStack() as stack:
        engine, workers = RedisEngine(settings), Workers()
        telemetry = TelemetryService(settings, Redactor(settings))
        service = build_shared_component_cache(settings, telemetry, workers, lambda: engine)
        for one in (engine, workers, service):
            await one.start()
            stack.push_async_callback(one.stop)
        yield service


async def until(condition: Callable[[], object]) -> None:
    """Wait for what other replicas do."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what another connection brings is no event here
            await asyncio.sleep(0.01)


async def healthy(*services: SharedComponentCacheService) -> None:
    """Wait until all say that all have the same."""
    async with asyncio.timeout(30):
        for service in services:
            while (await service.health()).status is not HealthStatus.UP:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_reload_on_one_replica_reaches_all(valkey_url: str, folder: Path) -> None:
    """SCC-4: they have the same digest before it and after it."""
    write(folder, "one.py", "One")
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(replica(valkey_url, folder)) for _ in range(3)]
        before = replicas[0].document().etag
        assert [one.document().etag for one in replicas] == [before] * 3
        write(folder, "two.py", "Two")
        reloaded = await replicas[1].reload()
        assert reloaded.added == ("Two",)
        assert reloaded.etag != before
        await until(lambda: all(one.document().etag == reloaded.etag for one in replicas))
        assert all(one.get("Two").type_name == "Two" for one in replicas)
        await healthy(*replicas)


async def test_changes_on_several_replicas_at_once_reach_all(valkey_url: str, folder: Path) -> None:
    """SCC-4: none is lost where announcements meet."""
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(replica(valkey_url, folder)) for _ in range(3)]
        for number, one in enumerate(replicas):
            write(folder, f"file{number}.py", f"Type{number}")
            await one.reload()
        expected = {f"Type{number}" for number in range(3)}
        await until(lambda: all(expected <= set(one.names()) for one in replicas))
        await healthy(*replicas)


async def test_replicas_that_have_different_components_say_so(valkey_url: str, folder: Path, tmp_path: Path) -> None:
    """SCC-4: as while a release is rolled out; and it is over when one of them has gone."""
    other = tmp_path / "another release"
    other.mkdir()
    write(other, "new.py", "New")
    async with replica(valkey_url, folder) as here:
        async with replica(valkey_url, other) as there:
            await there.reload()

            async def told(one: SharedComponentCacheService) -> bool:
                health = await one.health()
                return health.status is HealthStatus.DEGRADED and "2 different sets" in (health.reason or "")

            async with asyncio.timeout(30):
                while not (await told(here) and await told(there)):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        await here.reload()
        await healthy(here)


async def test_a_change_while_the_server_is_away_arrives_afterwards(tmp_path: Path, folder: Path) -> None:
    """SCC-4: the reload itself needs no server; the others follow when it is back, and health says what is wrong."""
    with ValkeyServer(tmp_path, durable=True) as server:
        async with replica(server.url, folder) as here, replica(server.url, folder) as there:
            server.stop()
            write(folder, "late.py", "Late")
            assert (await here.reload()).added == ("Late",)

            async with asyncio.timeout(30):
                while (await here.health()).status is HealthStatus.UP:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert "Late" not in there.names()
            server.start()
            await until(lambda: "Late" in there.names())
            await healthy(here, there)


async def test_live_objects_are_let_go_on_all(valkey_url: str, folder: Path) -> None:
    """SCC-4: a client whose credential was revoked is closed on every replica."""
    closed = []

    async def make() -> str:
        return "client"

    async with replica(valkey_url, folder) as here, replica(valkey_url, folder) as there:
        for name, service in (("here", here), ("there", there)):
            async with service.shared(None, "key", make, close=lambda _, name=name: closed.append(name)):
                pass
        assert await here.discard(None, "key") == 1
        await until(lambda: len(closed) == 2)
        assert closed == ["here", "there"]


async def test_without_its_server_it_does_not_start(folder: Path) -> None:
    with pytest.raises(RedisUnavailableError, match=r"shared_component_cache.*BEDPLATE_REDIS__URL"):
        async with replica("redis://127.0.0.1:1/0", folder):
            pass
