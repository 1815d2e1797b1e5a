"""ALL-4: what is private or somebody else's is missing, whoever asks and however."""

import uuid

import pytest

from bedplate.services.errors import NotFoundError
from bedplate.services.store import Changes, Component, ComponentNotFoundError, Query, StoreService, Which
from bedplate.wiring.testing.store.harness import Capabilities, flow, named

__all__ = ["Ownership"]


class Ownership(Capabilities):
    """ALL-4."""

    @pytest.fixture
    async def theirs(self, store: StoreService, ann: uuid.UUID) -> Component:
        """Something private of another user's."""
        return await store.publish(ann, named("Private", private=True))

    async def test_what_is_private_is_missing_for_others(
        self, store: StoreService, theirs: Component, ben: uuid.UUID
    ) -> None:
        """ALL-4, STORE-1: for every method."""
        for call in (
            store.get(ben, theirs.id),
            store.download(ben, theirs.id),
            store.update(ben, theirs.id, Changes(name="mine")),
            store.like(ben, theirs.id),
            store.toggle_like(ben, theirs.id),
        ):
            with pytest.raises(ComponentNotFoundError):
                await call
        for query in (Query(text="Private"), Query(component=str(theirs.id)), Query(private=True), Query(own=True)):
            assert (await store.search(ben, query)).total == 0

    async def test_versions_of_what_is_private_are_missing_for_others(
        self, store: StoreService, theirs: Component, ben: uuid.UUID
    ) -> None:
        """ALL-4, STORE-2: by number and by digest."""
        self.require("versions")
        for call in (
            store.versions(ben, theirs.id),
            store.download(ben, theirs.id, Which(digest=theirs.digest)),
            store.yank(ben, theirs.id, "1.0.0"),
            store.restore(ben, theirs.id, "1.0.0"),
            store.delete(ben, theirs.id),
        ):
            with pytest.raises(ComponentNotFoundError):
                await call

    async def test_what_is_public_is_changed_by_its_owner_alone(
        self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID
    ) -> None:
        """ALL-4: to others it is as if it were not there to be changed."""
        made = await store.publish(ann, named("Public"))
        with pytest.raises(NotFoundError):
            await store.update(ben, made.id, Changes(name="mine", data=flow("mine")))
        if self.versions:
            with pytest.raises(NotFoundError):
                await store.yank(ben, made.id, "1.0.0")
        if self.deletes:
            with pytest.raises(NotFoundError):
                await store.delete(ben, made.id)
        got = await store.download(ben, made.id)
        assert (got.name, got.data, got.yanked) == ("Public", flow("Public"), False)

    async def test_a_like_of_what_became_private_is_no_window(
        self, store: StoreService, ann: uuid.UUID, ben: uuid.UUID
    ) -> None:
        """ALL-4: nor does the list of likes show it any more."""
        made = await store.publish(ann, named("Public"))
        await store.like(ben, made.id)
        await store.update(ann, made.id, Changes(private=True))
        assert await store.liked(ben) == []
        assert (await store.search(ben, Query(liked=True))).total == 0

    async def test_parents(self, store: StoreService, theirs: Component, ann: uuid.UUID, ben: uuid.UUID) -> None:
        """ALL-4, STORE-1: what one sees may be a parent; when it becomes private, its owner alone sees that."""
        self.require("checks_parents")
        parent = await store.publish(ann, named("Parent"))
        child = await store.publish(ben, named("Child", parent=parent.id))
        assert child.parent == parent.id
        for id_ in (theirs.id, uuid.uuid4()):
            with pytest.raises(ComponentNotFoundError):
                await store.publish(ben, named("x", parent=id_))
            with pytest.raises(ComponentNotFoundError):
                await store.update(ben, child.id, Changes(parent=id_))
        await store.update(ann, parent.id, Changes(private=True))
        assert [(await store.get(user, child.id)).parent for user in (ann, ben)] == [parent.id, None]
        assert (await store.update(ben, child.id, Changes(parent=None, name="y"))).parent is None
