"""What the local backend does on its threads, one function a call. All of it blocks."""

import contextlib
import heapq
import os
import stat
from collections.abc import Callable

from bedplate.services.storage.abort import Abort
from bedplate.services.storage.errors import FileTooLargeError, UnsafeFileError
from bedplate.services.storage.local_file import (
    BLOCK,
    Temporary,
    digest_of,
    info_of,
    open_file,
    place,
    recorded_digest,
)
from bedplate.services.storage.local_folder import Descriptor, Root, remove_folder
from bedplate.services.storage.models import FileInfo, Namespace, OnTaken
from bedplate.services.storage.names import is_name

__all__ = [
    "copy_file",
    "delete_file",
    "delete_namespace",
    "list_files",
    "move_file",
    "open_file_in",
    "read_block",
    "save_file",
    "stat_file",
    "undoing",
]


def save_file(abort: Abort, root: Root, namespace: Namespace, name: str, data: bytes, on_taken: OnTaken) -> FileInfo:
    """Save a file whose content is in memory."""
    file = Temporary.create(root, namespace)
    try:
        file.write(abort, (data,))
        file.digest(abort, (data,))
        return file.commit(abort, name, on_taken)
    finally:
        file.discard()


def undoing(root: Root, namespace: Namespace, on_taken: OnTaken) -> Callable[[FileInfo], None] | None:
    """What takes a save back whose caller was cancelled when it was done; None if it may have replaced a file."""
    if on_taken is OnTaken.REPLACE:
        return None

    def undo(saved: FileInfo) -> None:
        with contextlib.suppress(OSError), root.inside(namespace) as folder:
            status = os.stat(saved.name, dir_fd=folder, follow_symlinks=False)
            if info_of(saved.name, status).etag == saved.etag:
                os.unlink(saved.name, dir_fd=folder)
                os.fsync(folder)

    return undo


def open_file_in(root: Root, namespace: Namespace, name: str) -> tuple[Descriptor, FileInfo]:
    """Open a file for reading."""
    with root.inside(namespace) as folder:
        descriptor, status = open_file(folder, name)
    return Descriptor(descriptor), info_of(name, status, recorded_digest(descriptor, status))


def read_block(descriptor: Descriptor, size: int, offset: int) -> bytes:
    """At most ``size`` bytes from ``offset``."""
    with descriptor.use() as opened:
        return os.pread(opened, size, offset)


def list_files(root: Root, namespace: Namespace, after: str, limit: int) -> list[FileInfo]:
    """The first files by name after ``after``."""
    try:
        with root.inside(namespace) as folder, os.scandir(folder) as entries:
            names = heapq.nsmallest(limit, (entry.name for entry in entries if _is_listed(entry, after)))
            found = [(name, _status(folder, name)) for name in names]
    except FileNotFoundError:
        return []
    return [info_of(name, status) for name, status in found if status is not None]


def _is_listed(entry: "os.DirEntry[str]", after: str) -> bool:
    return entry.name > after and is_name(entry.name) and entry.is_file(follow_symlinks=False)


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None  # deleted in between


def stat_file(abort: Abort, root: Root, namespace: Namespace, name: str, digest: bool) -> FileInfo:
    """What is known of a file; with ``digest``, its sha256 in any case."""
    with root.inside(namespace) as folder:
        descriptor, status = open_file(folder, name)
    try:
        known = recorded_digest(descriptor, status)
        return info_of(name, status, digest_of(abort, descriptor) if digest and known is None else known)
    finally:
        os.close(descriptor)


def copy_file(
    abort: Abort,
    root: Root,
    source: Namespace,
    name: str,
    target: Namespace,
    new_name: str,
    on_taken: OnTaken,
    max_bytes: int,
) -> FileInfo:
    """Copy a file, as a save of its content."""
    with root.inside(source) as folder:
        descriptor, status = open_file(folder, name)
    try:
        if status.st_size > max_bytes:
            raise FileTooLargeError(max_bytes)
        file = Temporary.create(root, target)
        try:
            while block := os.read(descriptor, BLOCK):
                file.write(abort, (block,))
                file.digest(abort, (block,))
            return file.commit(abort, new_name, on_taken)
        finally:
            file.discard()
    finally:
        os.close(descriptor)


def move_file(
    abort: Abort, root: Root, source: Namespace, name: str, target: Namespace, new_name: str, on_taken: OnTaken
) -> FileInfo:
    """Move a file."""
    with root.inside(source) as folder:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise UnsafeFileError
        destination = root.enter(target, create=True)
        try:
            abort.check()
            placed = place(folder, name, destination, new_name, on_taken)
            os.fsync(destination)
            os.fsync(folder)
            return info_of(placed, os.stat(placed, dir_fd=destination, follow_symlinks=False))
        finally:
            os.close(destination)


def delete_file(abort: Abort, root: Root, namespace: Namespace, name: str) -> None:
    """Delete a file."""
    with root.inside(namespace) as folder:
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise UnsafeFileError
        abort.check()
        os.unlink(name, dir_fd=folder)
        os.fsync(folder)


def delete_namespace(abort: Abort, root: Root, namespace: Namespace) -> int:
    """Delete the files of a namespace; how many there were."""
    try:
        folder = root.enter(namespace)
    except FileNotFoundError:
        return 0
    try:
        abort.check()
        taken = root.take_away(namespace)
        if taken is None:
            return 0
        with os.scandir(folder) as entries:
            count = sum(_is_listed(entry, "") for entry in entries)
    finally:
        os.close(folder)
    parent, gone = taken
    try:
        remove_folder(parent, gone)
    finally:
        os.close(parent)
    return count
