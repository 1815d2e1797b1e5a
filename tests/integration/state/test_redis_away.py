"""STATE-3: the server of the state is killed while values are written and listened to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.redis import RedisEngine
from bedplate.services.errors import UnavailableError
from bedplate.services.settings import SettingsService
from bedplate.services.state import ChangeKind, Scope, StateService
from bedplate.services.state.redis import RedisBackend
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.servers.valkey import ValkeyServer

PATIENCE = 60.0
APP = Scope.app()


@asynccontextmanager
async def replica(folder: Path, url: str) -> AsyncIterator[StateService]:
    settings = SettingsService(profile="test", data_dir=folder, redis={"url": url, "command_timeout": 2.0})
    engine = RedisEngine(settings)
    await engine.start()
    store = RedisBackend(settings.values.state, engine)
    service = StateService(settings, TelemetryService(settings, Redactor(settings)), store)
    await service.start()
    yield service
    await service.stop()
    await engine.stop()


async def _until_up(state: StateService) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await state.health()).status != "up":  # noqa: ASYNC110 - nothing else tells of it
            await asyncio.sleep(0.05)


async def test_what_was_acknowledged_is_there_when_the_server_is_back(tmp_path: Path) -> None:
    """STATE-3: a server that keeps what it acknowledges loses nothing; subscribers get every change once, in order."""
    with ValkeyServer(tmp_path, durable=True) as server:
        async with replica(tmp_path, server.url) as writer, replica(tmp_path, server.url) as reader:
            heard: list[Any] = []
            changes = await reader.subscribe(APP, "list")

            async def listen() -> None:
                async for change in changes:
                    assert change.missed == 0
                    heard.append(change.value)
                    if change.value == "last":
                        return

            listening = asyncio.ensure_future(listen())
            acknowledged: list[int] = []
            enough = asyncio.Event()

            async def write() -> None:
                for number in range(400):
                    try:
                        await writer.append(APP, "list", number)
                    except UnavailableError:
                        await asyncio.sleep(0.01)
                    else:
                        acknowledged.append(number)
                        if len(acknowledged) == 50:
                            enough.set()

            writing = asyncio.ensure_future(write())
            async with asyncio.timeout(PATIENCE):
                await enough.wait()
            server.kill()
            with pytest.raises(UnavailableError):
                await reader.get(APP, "list")
            assert (await reader.health()).status == "down"
            server.start()
            await writing
            await _until_up(reader)
            kept = await writer.get(APP, "list")
            assert set(acknowledged) <= set(kept)
            assert len(kept) == len(set(kept))
            await writer.append(APP, "list", "last")
            async with asyncio.timeout(PATIENCE):
                await listening
            assert heard == [*kept, "last"]
            await changes.aclose()


async def test_subscribers_learn_of_what_was_lost(tmp_path: Path) -> None:
    """STATE-3: a server that forgets everything makes a gap, and versions go on from where they were."""
    with ValkeyServer(tmp_path) as server:
        async with replica(tmp_path, server.url) as writer, replica(tmp_path, server.url) as reader:
            version = await writer.set(APP, "key", 1)
            async with await reader.subscribe(APP, "key", current=True) as changes:
                assert (await anext(changes)).value == 1
                server.kill()
                server.start()
                async with asyncio.timeout(PATIENCE):
                    gap = await anext(changes)
                assert (gap.kind, gap.missed >= 1) == (ChangeKind.DELETE, True)
                await _until_up(writer)
                assert await writer.get(APP, "key") is None
                assert await writer.set(APP, "key", 2) > version
                async with asyncio.timeout(PATIENCE):
                    after = await anext(changes)
                assert (after.kind, after.value, after.missed) == (ChangeKind.SET, 2, 0)
