"""Start, stop and restart (ALL-1); cancelled calls."""

import asyncio
import uuid

import pytest

from bedplate.services.errors import UnavailableError
from bedplate.services.store import Query, StoreDisabledError, StoreService
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.store.harness import Capabilities, StoreHarness, named

__all__ = ["Lifecycle"]


class Lifecycle(Capabilities):
    """ALL-1."""

    async def test_start_and_stop(self, store: StoreService, ann: uuid.UUID) -> None:
        """ALL-1: stopped, it says so; started again, it has everything; health follows."""
        made = await store.publish(ann, named("x"))
        assert (await store.health()).status == "up"
        await asyncio.gather(store.stop(), store.stop())
        assert (await store.health()).status == "down"
        for call in (
            store.publish(ann, named("y")),
            store.search(ann),
            store.download(ann, made.id),
            store.tags(),
            store.require_key(ann),
            store.key_status(ann),
        ):
            with pytest.raises(UnavailableError, match="not started"):
                await call
        await asyncio.gather(store.start(), store.start())
        assert (await store.get(ann, made.id)).name == "x"

    async def test_a_publication_that_is_cancelled_happens_wholly_or_not_at_all(
        self, store: StoreService, ann: uuid.UUID
    ) -> None:
        """STORE-1: no component without its version, and nothing that blocks the next."""
        seen = set[uuid.UUID]()

        async def publish() -> None:
            await store.publish(ann, named("x", tags=("Memory",)))

        async def check(_cancelled: bool) -> None:
            for component in (await store.search(ann, Query(own=True, limit=100))).items:
                if component.id in seen:
                    continue
                seen.add(component.id)
                assert (await store.download(ann, component.id)).name == "x"
                assert [tag.name for tag in component.tags] == ["Memory"]

        await cancel_at_every_await(publish, check)

    async def test_switched_off(self, harness: StoreHarness, ann: uuid.UUID) -> None:
        """STORE-1: a setting takes the store away, and starts it all the same."""
        store = await harness.store(enabled=False)
        assert not store.enabled
        assert (await store.health()).status == "up"
        for call in (store.search(ann), store.tags(), store.publish(ann, named("x")), store.require_key(ann)):
            with pytest.raises(StoreDisabledError):
                await call
