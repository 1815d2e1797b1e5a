"""STORE-1: likes, each counted once however often it is given."""

import asyncio
import uuid

import pytest

from bedplate.services.store import ComponentNotFoundError, Query, StoreService
from bedplate.wiring.testing.store.harness import Capabilities, named

__all__ = ["Likes"]


class Likes(Capabilities):
    """STORE-1."""

    async def test_likes_are_idempotent(self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """STORE-1: and each reader sees its own."""
        made = await store.publish(ann, named("Liked"))
        await store.publish(ann, named("Not"))
        for _ in range(2):
            likes = await store.like(ben, made.id)
            assert (likes.component_id, likes.likes, likes.liked) == (made.id, 1, True)
        assert (await store.like(ann, made.id)).likes == 2
        for _ in range(2):
            likes = await store.unlike(ann, made.id)
            assert (likes.likes, likes.liked) == (1, False)
        seen = [await store.get(user, made.id) for user in (ann, ben)]
        assert [(component.likes, component.liked) for component in seen] == [(1, False), (1, True)]
        assert [likes.component_id for likes in await store.liked(ben)] == [made.id]
        assert await store.liked(ann) == []
        found = await store.search(ben, Query(liked=True))
        assert ([component.name for component in found.items], found.total) == (["Liked"], 1)
        assert (await store.search(ann, Query(liked=True))).total == 0

    async def test_toggled(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-1: as existing clients do."""
        made = await store.publish(ann, named("Liked"))
        states = [await store.toggle_like(ann, made.id) for _ in range(3)]
        assert [(likes.likes, likes.liked) for likes in states] == [(1, True), (0, False), (1, True)]

    async def test_many_at_once(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-1: one user, one like."""
        self.require("counts_at_once")
        made = await store.publish(ann, named("Liked"))
        answers = await asyncio.gather(*(store.like(ann, made.id) for _ in range(8)))
        assert {(likes.likes, likes.liked) for likes in answers} == {(1, True)}

    async def test_what_is_not_there_cannot_be_liked(self, store: StoreService, ann: uuid.UUID) -> None:
        """STORE-1."""
        for call in (store.like, store.unlike, store.toggle_like):
            with pytest.raises(ComponentNotFoundError):
                await call(ann, uuid.uuid4())
