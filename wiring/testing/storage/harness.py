"""What the suite needs of the backend that it is run against."""

import uuid
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Protocol

import pytest

from bedplate.services.storage import Namespace, StorageService
from bedplate.wiring.testing.suite import Suite

__all__ = ["Capabilities", "StorageHarness", "content", "pieces"]


class StorageHarness(Protocol):
    """How the suite comes by storages."""

    async def storage(self, **settings: Any) -> StorageService:
        """A started storage with these settings of the storage group, over the same files as those before it."""
        ...

    async def leftovers(self) -> list[str]:
        """What is kept beside the files that can be seen: parts of uploads, half-deleted namespaces."""
        ...


class Capabilities(Suite):
    """What a backend can do; a part of the suite that asks for more is skipped, by name.

    Attributes:
        survives_restart: Whether a second storage finds what the first one kept.
    """

    survives_restart: ClassVar[bool] = True

    @pytest.fixture
    async def storage(self, harness: StorageHarness) -> StorageService:
        """A storage with small chunks, so that little content makes many of them."""
        return await harness.storage(chunk_bytes=4096, max_file_bytes=1024 * 1024)

    @pytest.fixture
    def namespace(self) -> Namespace:
        """A namespace that nobody has used."""
        return Namespace.user(uuid.uuid4())


async def pieces(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    """The data, bit by bit."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def content(storage: StorageService, namespace: Namespace, name: str) -> bytes:
    """The content of a file, as it is streamed."""
    async with await storage.open(namespace, name) as file:
        return b"".join([chunk async for chunk in file])
