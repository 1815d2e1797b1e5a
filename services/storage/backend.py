"""What a backend of the storage does: it keeps files under namespace and name, each whole or not at all."""

import uuid
from collections.abc import Sequence
from typing import Protocol

from bedplate.services.storage.models import FileInfo, Namespace, OnTaken

__all__ = ["StorageBackend", "StoredContent", "Upload"]


class StoredContent(Protocol):
    """An open file.

    Attributes:
        info: What was known of it when it was opened.
    """

    info: FileInfo

    def select(self, start: int, end: int) -> None:
        """Read the bytes from ``start`` up to before ``end`` and no others; before the first read, without I/O."""
        ...

    async def read(self, size: int) -> bytes:
        """The next at most ``size`` bytes of those selected; empty at the end. One call at a time."""
        ...

    def close(self) -> None:
        """Give it back; may be called twice, and while a cancelled read still goes on."""
        ...


class Upload(Protocol):
    """A file on its way in, which nobody sees before it is committed. One call at a time."""

    async def write(self, chunks: Sequence[bytes]) -> None:
        """Add to it; returns once the chunks are written, also when cancelled."""
        ...

    async def commit(self, name: str, on_taken: OnTaken) -> FileInfo:
        """Make it durable, then visible. Cancelled, it has done so wholly or not at all when it returns."""
        ...

    async def abort(self) -> None:
        """Leave nothing of what is not committed; returns when nothing is left, also when cancelled."""
        ...


class StorageBackend(Protocol):
    """Keeps files. The service has checked names, namespaces and sizes before it calls.

    It is made by ``from_settings(settings)``, a class method that takes the engines that it declares as needed
    (``workers``) by keyword as well.

    Whatever changes a file is atomic, durable on return, and happens wholly or not at all when its caller is
    cancelled. What does not exist is a ``StoredFileNotFoundError``.

    Attributes:
        name: What the setting calls it.
    """

    name: str

    async def start(self) -> None:
        """Open what it needs, and begin to remove what killed processes left half written."""
        ...

    async def stop(self) -> None:
        """Close what it opened, as far as that got."""
        ...

    async def check(self) -> str | None:
        """Raise if it does not work; a reason if it works badly."""
        ...

    async def save(self, namespace: Namespace, name: str, data: bytes, on_taken: OnTaken) -> FileInfo:
        """Save a file whose content is in memory."""
        ...

    def upload(self, namespace: Namespace) -> Upload:
        """Begin a file whose content comes bit by bit; does no I/O."""
        ...

    async def open(self, namespace: Namespace, name: str) -> StoredContent:
        """Open a file for reading."""
        ...

    async def list(self, namespace: Namespace, after: str, limit: int) -> list[FileInfo]:
        """The first files whose names sort after ``after``, by name."""
        ...

    async def stat(self, namespace: Namespace, name: str, *, digest: bool) -> FileInfo:
        """What is known of a file; with ``digest``, its sha256 even if that must be computed."""
        ...

    async def copy(
        self, source: Namespace, name: str, target: Namespace, new_name: str, on_taken: OnTaken, max_bytes: int
    ) -> FileInfo:
        """Copy a file of at most ``max_bytes``."""
        ...

    async def move(self, source: Namespace, name: str, target: Namespace, new_name: str, on_taken: OnTaken) -> FileInfo:
        """Move a file."""
        ...

    async def delete(self, namespace: Namespace, name: str) -> None:
        """Delete a file."""
        ...

    async def delete_namespace(self, namespace: Namespace) -> int:
        """Delete every file of the namespace, all at once for every reader; how many there were."""
        ...

    async def delete_owner(self, owner: uuid.UUID) -> None:
        """Delete every namespace of this owner."""
        ...
