"""What a backend of the storage does: it keeps files under namespace and name, each whole or not at all."""

import builtins
import uuid
from collections.abc import Sequence
from typing import Protocol

import msgspec

from bedplate.services.storage.models import FileInfo, Metadata, Namespace, OnTaken, SignedAccess, StorageUsage

__all__ = ["Placing", "StorageBackend", "StoredContent", "Upload"]


class Placing(msgspec.Struct, frozen=True, kw_only=True):
    """How a file gets its place.

    Attributes:
        on_taken: What to do about a file that has the name already.
        if_match: The entity tag that this file must have, else nothing changes (``FileChangedError``); None: any, and
            none.
        metadata: What is kept with the file; None: what the file has that is copied or moved, and else nothing.
    """

    on_taken: OnTaken = OnTaken.REPLACE
    if_match: str | None = None
    metadata: Metadata | None = None


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

    async def commit(self, name: str, placing: Placing) -> FileInfo:
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
    cancelled. What does not exist is a ``StoredFileNotFoundError``. Conditions and quotas are decided at the moment of
    the change, for all processes that share the files.

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

    async def save(self, namespace: Namespace, name: str, data: bytes, placing: Placing) -> FileInfo:
        """Save a file whose content is in memory."""
        ...

    def upload(self, namespace: Namespace) -> Upload:
        """Begin a file whose content comes bit by bit; does no I/O."""
        ...

    async def open(self, namespace: Namespace, name: str) -> StoredContent:
        """Open a file for reading."""
        ...

    async def list(self, namespace: Namespace, after: str, limit: int, prefix: str) -> list[FileInfo]:
        """The first files whose names sort after ``after`` and begin with ``prefix``, by name."""
        ...

    async def namespaces(self, after: str, limit: int) -> builtins.list[Namespace]:
        """The first namespaces, of all owners, whose ``<owner>/<kind>-<id>`` sort after ``after``, by that."""
        ...

    async def stat(self, namespace: Namespace, name: str, *, digest: bool) -> FileInfo:
        """What is known of a file; with ``digest``, its sha256 even if that must be computed."""
        ...

    async def copy(
        self, source: Namespace, name: str, target: Namespace, new_name: str, placing: Placing, max_bytes: int
    ) -> FileInfo:
        """Copy a file of at most ``max_bytes``."""
        ...

    async def move(self, source: Namespace, name: str, target: Namespace, new_name: str, placing: Placing) -> FileInfo:
        """Move a file."""
        ...

    async def set_metadata(self, namespace: Namespace, name: str, metadata: Metadata, if_match: str | None) -> FileInfo:
        """Keep something else with a file; its content, and so its entity tag, stays."""
        ...

    async def delete(self, namespace: Namespace, name: str, if_match: str | None) -> None:
        """Delete a file, if it has this entity tag; None: whatever it has."""
        ...

    async def delete_namespace(self, namespace: Namespace) -> int:
        """Delete every file of the namespace, all at once for every reader; how many there were."""
        ...

    async def delete_owner(self, owner: uuid.UUID) -> None:
        """Delete every namespace of this owner."""
        ...

    async def usage(self, owner: uuid.UUID) -> StorageUsage:
        """What the files of this owner take up."""
        ...

    async def presign(self, access: SignedAccess) -> str | None:
        """A link of the backend's own that gives this access; None: it has none, and the service makes one."""
        ...
