"""Folders of the local backend, by descriptors: no path is ever put together from names.

Every step is an ``openat`` that follows no symbolic link, so that neither a name nor a link that somebody put there
leads out of the root. All of it blocks; it runs on threads.
"""

import contextlib
import os
import secrets
import shutil
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from bedplate.services.errors import UnavailableError
from bedplate.services.schema import ServiceType
from bedplate.services.storage.errors import StorageAccessError
from bedplate.services.storage.models import Namespace

__all__ = ["GONE", "Descriptor", "Root", "folder_name", "is_in_place", "open_folder", "remove_folder", "rename_away"]

GONE = ".gone-"
"""How the names of folders that are being deleted begin."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTEMPTS = 5


class Descriptor:
    """A file descriptor that is closed once no thread uses it any more, at the latest when nobody refers to it."""

    __slots__ = ("_closing", "_descriptor", "_lock", "_users")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._users = 0
        self._closing = False

    @contextlib.contextmanager
    def use(self) -> Iterator[int]:
        """The descriptor, which stays open within the block.

        Raises:
            UnavailableError: It is closed.
        """
        with self._lock:
            if self._closing:
                raise UnavailableError("the file is closed", service=ServiceType.STORAGE, fix="open it again")
            self._users += 1
        try:
            yield self._descriptor
        finally:
            with self._lock:
                self._users -= 1
                self._close_if_free()

    def close(self) -> None:
        """Close it as soon as nobody uses it; may be called twice."""
        with self._lock:
            self._closing = True
            self._close_if_free()

    def __del__(self) -> None:
        self.close()

    def _close_if_free(self) -> None:
        if self._closing and not self._users and self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class Root:
    """The folder that everything lies in: ``<owner>/<kind>-<id>/<name>``.

    Args:
        path: Where it is; it may be a link itself, since the operator chose it.
        reserved: Free bytes of the disk that files leave alone.
        quota: Most bytes of the files of one owner; 0: any number.

    Attributes:
        reserved: As given.
        quota: As given.
    """

    def __init__(self, path: Path, *, reserved: int, quota: int = 0) -> None:
        self.reserved = reserved
        self._path = path
        self.quota = quota
        self.folder = Descriptor(-1)

    def open(self) -> None:
        """Make it if it is not there, readable by nobody else, and open it.

        Raises:
            StorageAccessError: Something else is in the way.
        """
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise StorageAccessError(f"{self._path} is not a folder") from None
        self.folder.close()
        self.folder = Descriptor(os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def enter(self, namespace: Namespace, *, create: bool = False) -> int:
        """A descriptor of the folder of the namespace, for the caller to close.

        Raises:
            FileNotFoundError: It is not there, and not to be made.
        """
        with self.folder.use() as root:
            for _ in range(_ATTEMPTS):
                owner = open_folder(root, str(namespace.owner), create=create)
                try:
                    return open_folder(owner, folder_name(namespace), create=create)
                except FileNotFoundError:
                    if not create:
                        raise
                    # The folder of the owner was deleted in between.
                finally:
                    os.close(owner)
        raise FileNotFoundError

    @contextlib.contextmanager
    def inside(self, namespace: Namespace) -> Iterator[int]:
        """A descriptor of the folder of the namespace, within the block."""
        folder = self.enter(namespace)
        try:
            yield folder
        finally:
            os.close(folder)

    def namespaces(self, after: str, limit: int) -> list[Namespace]:
        """The first namespaces of all owners whose ``<owner>/<kind>-<id>`` sort after ``after``."""
        found: list[Namespace] = []
        with self.folder.use() as root:
            for owner in _names(root):
                if owner >= after.partition("/")[0]:
                    found += [one for one in _namespaces_of(root, owner) if f"{owner}/{folder_name(one)}" > after]
                if len(found) >= limit:
                    break
        return found[:limit]

    def delete_owner(self, owner: uuid.UUID) -> None:
        """Delete the folder of an owner, if there is one."""
        with self.folder.use() as root:
            try:
                gone = rename_away(root, str(owner))
            except FileNotFoundError:
                return
            remove_folder(root, gone)


def _namespaces_of(root: int, owner: str) -> list[Namespace]:
    """The namespaces of one owner, sorted; none where the name is no owner's."""
    try:
        folder = open_folder(root, owner)
    except OSError:  # deleted in between, or something else that stands there
        return []
    try:
        return [one for name in _names(folder) if (one := _namespace(owner, name)) is not None]
    finally:
        os.close(folder)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _namespace(owner: str, name: str) -> Namespace | None:
    kind, _, identifier = name.partition("-")
    try:
        found = Namespace(owner=uuid.UUID(owner), kind=kind, id=uuid.UUID(identifier))
    except ValueError:
        return None
    return found if str(found.owner) == owner and folder_name(found) == name else None


def open_folder(parent: int, name: str, *, create: bool = False) -> int:
    """A descriptor of a folder inside another one, for the caller to close.

    Raises:
        FileNotFoundError: It is not there, and not to be made.
        NotADirectoryError: It is something else, such as a symbolic link.
    """
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
        os.fsync(parent)
    return os.open(name, _FOLDER, dir_fd=parent)


def is_in_place(parent: int, name: str, folder: int) -> bool:
    """Whether an open folder is still the one of that name, and was not deleted or renamed meanwhile."""
    try:
        return os.path.samestat(os.stat(name, dir_fd=parent, follow_symlinks=False), os.fstat(folder))
    except FileNotFoundError:
        return False


def remove_folder(parent: int, name: str) -> None:
    """Remove a folder that was renamed away, with all that is in it."""
    for _ in range(_ATTEMPTS):  # an upload that had the folder open may put its file there meanwhile
        with contextlib.suppress(OSError):
            shutil.rmtree(name, dir_fd=parent)
            return
    # What resists is removed at the next start; it is out of sight already.


def rename_away(parent: int, name: str) -> str:
    """Rename a folder, so that it is gone for everybody at once; its new name, which no list shows."""
    gone = GONE + secrets.token_hex(12)
    os.rename(name, gone, src_dir_fd=parent, dst_dir_fd=parent)
    os.fsync(parent)
    return gone


def folder_name(namespace: Namespace) -> str:
    """What the folder of a namespace is called in that of its owner."""
    return f"{namespace.kind}-{namespace.id}"
