"""Start, stop and restart (ALL-1)."""

import asyncio

import pytest

from bedplate.services.errors import UnavailableError
from bedplate.services.storage import Namespace, StorageService
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.storage.harness import Capabilities, StorageHarness, content

__all__ = ["Lifecycle"]


class Lifecycle(Capabilities):
    """ALL-1."""

    async def test_start_and_stop(self, storage: StorageService, namespace: Namespace) -> None:
        """ALL-1: stopped, it says so; started again, it works; health follows."""
        assert (await storage.health()).status == "up"
        await asyncio.gather(storage.stop(), storage.stop())
        assert (await storage.health()).status == "down"
        for call in (
            storage.save(namespace, "a", b""),
            storage.open(namespace, "a"),
            storage.list(namespace),
            storage.delete_namespace(namespace),
        ):
            with pytest.raises(UnavailableError, match="not started"):
                await call
        await asyncio.gather(storage.start(), storage.start())
        await storage.save(namespace, "a", b"x")
        assert await content(storage, namespace, "a") == b"x"

    async def test_stop_and_start_cancelled_anywhere(self, storage: StorageService, namespace: Namespace) -> None:
        """ALL-1: a cancelled start or stop leaves nothing that another one does not put right."""

        async def restart() -> None:
            await storage.stop()
            await storage.start()

        async def check(_cancelled: bool) -> None:
            await storage.start()
            await storage.save(namespace, "a", b"x")
            assert await content(storage, namespace, "a") == b"x"

        await cancel_at_every_await(restart, check)

    async def test_files_survive_a_restart(self, harness: StorageHarness, namespace: Namespace) -> None:
        """STO-1: with everything that is known of them."""
        self.require("survives_restart")
        first = await harness.storage()
        saved = await first.save(namespace, "a", b"x" * 10_000)
        await first.stop()
        second = await harness.storage()
        assert await second.stat(namespace, "a") == saved
        assert await content(second, namespace, "a") == b"x" * 10_000
