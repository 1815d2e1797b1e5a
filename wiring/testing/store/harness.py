"""What the suite needs of the backend that it is run against."""

import uuid
from typing import Any, ClassVar, Protocol

import pytest

from bedplate.services.store import NewComponent, StoreService
from bedplate.wiring.testing.suite import Suite

__all__ = ["Capabilities", "StoreHarness", "flow", "named"]


class StoreHarness(Protocol):
    """How the suite comes by stores and users."""

    async def store(self, **settings: Any) -> StoreService:
        """A started store with these settings of the store group, over the same catalogue as those before it."""
        ...

    async def user(self, name: str) -> uuid.UUID:
        """A user of this name, who has what it takes to use the catalogue, such as a key."""
        ...


class Capabilities(Suite):
    """What a backend can do; a part of the suite that asks for more is skipped, by name.

    Attributes:
        versions: It keeps every document that was published, and versions can be yanked.
        new_tags: Publishing with a tag that is not there makes it.
        deletes: What was published can be deleted.
        namespaces: Components have namespaced ids.
        sorts_by_likes: A search can be sorted by likes and downloads.
        counts_at_once: One user's likes at the same moment are one.
        checks_parents: A parent that cannot be seen is refused.
    """

    versions: ClassVar[bool] = True
    new_tags: ClassVar[bool] = True
    deletes: ClassVar[bool] = True
    namespaces: ClassVar[bool] = True
    sorts_by_likes: ClassVar[bool] = True
    checks_parents: ClassVar[bool] = True
    counts_at_once: ClassVar[bool] = True

    @pytest.fixture
    async def store(self, harness: StoreHarness) -> StoreService:
        """A store on default settings."""
        return await harness.store()

    @pytest.fixture
    async def ann(self, harness: StoreHarness) -> uuid.UUID:
        """A user."""
        return await harness.user("ann")

    @pytest.fixture
    async def ben(self, harness: StoreHarness) -> uuid.UUID:
        """Another user."""
        return await harness.user("ben")


def flow(prompt: str = "Hello", **fields: Any) -> dict[str, Any]:
    """A small flow whose one node holds the prompt and these further fields of its template."""
    template = {"prompt": {"type": "prompt", "value": prompt}, **fields}
    data = {"id": "Prompt-a1", "type": "Prompt", "node": {"display_name": "Prompt", "template": template}}
    return {"nodes": [{"id": "Prompt-a1", "type": "genericNode", "data": data}], "edges": []}


def named(name: str, **fields: Any) -> NewComponent:
    """Something to publish under a name: public, unless told otherwise."""
    return NewComponent(**{"name": name, "data": flow(name), "private": False, **fields})
