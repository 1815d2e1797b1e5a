"""What the local backend does on its threads, one function a call. All of it blocks."""

import contextlib
import heapq
import os
import stat
from collections.abc import Callable

import msgspec

from bedplate.services.storage.abort import Abort
from bedplate.services.storage.backend import Placing
from bedplate.services.storage.errors import FileChangedError, FileTooLargeError, UnsafeFileError
from bedplate.services.storage.local_accounts import changing
from bedplate.services.storage.local_attributes import record_metadata, recorded_digest, recorded_metadata
from bedplate.services.storage.local_file import (
    BLOCK,
    Temporary,
    digest_of,
    info_of,
    open_file,
    place,
    replaced_by,
)
from bedplate.services.storage.local_folder import (
    Descriptor,
    Root,
    folder_name,
    is_in_place,
    remove_folder,
    rename_away,
)
from bedplate.services.storage.models import FileInfo, Metadata, Namespace, OnTaken
from bedplate.services.storage.names import is_name

__all__ = [
    "annotate_file",
    "copy_file",
    "delete_file",
    "delete_namespace",
    "list_files",
    "move_file",
    "open_file_in",
    "read_block",
    "remove_file",
    "save_file",
    "stat_file",
    "undoing",
]


def save_file(abort: Abort, root: Root, namespace: Namespace, name: str, data: bytes, placing: Placing) -> FileInfo:
    """Save a file whose content is in memory."""
    file = Temporary.create(root, namespace)
    try:
        file.write(abort, (data,))
        file.digest(abort, (data,))
        return file.commit(abort, name, placing)
    finally:
        file.discard()


def undoing(root: Root, namespace: Namespace, placing: Placing) -> Callable[[FileInfo], None] | None:
    """What takes a save back whose caller was cancelled when it was done; None if it may have replaced a file."""
    if placing.if_match is not None or placing.on_taken is OnTaken.REPLACE:
        return None

    def undo(saved: FileInfo) -> None:
        with contextlib.suppress(OSError, FileChangedError):
            remove_file(root, namespace, saved.name, saved.etag)

    return undo


def open_file_in(root: Root, namespace: Namespace, name: str) -> tuple[Descriptor, FileInfo]:
    """Open a file for reading."""
    with root.inside(namespace) as folder:
        descriptor, status = open_file(folder, name)
    info = info_of(name, status, recorded_digest(descriptor, status), recorded_metadata(descriptor))
    return Descriptor(descriptor), info


def read_block(descriptor: Descriptor, size: int, offset: int) -> bytes:
    """At most ``size`` bytes from ``offset``."""
    with descriptor.use() as opened:
        return os.pread(opened, size, offset)


def list_files(root: Root, namespace: Namespace, after: str, limit: int, prefix: str = "") -> list[FileInfo]:
    """The first files by name after ``after``, of those that begin with ``prefix``."""
    try:
        with root.inside(namespace) as folder, os.scandir(folder) as entries:
            names = heapq.nsmallest(limit, (entry.name for entry in entries if _is_listed(entry, after, prefix)))
            found = [(name, _status(folder, name)) for name in names]
    except FileNotFoundError:
        return []
    return [info_of(name, status) for name, status in found if status is not None]


def _is_listed(entry: "os.DirEntry[str]", after: str = "", prefix: str = "") -> bool:
    name = entry.name
    return name > after and name.startswith(prefix) and is_name(name) and entry.is_file(follow_symlinks=False)


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
        if digest and known is None:
            known = digest_of(abort, descriptor)
        return info_of(name, status, known, recorded_metadata(descriptor))
    finally:
        os.close(descriptor)


def copy_file(
    abort: Abort,
    root: Root,
    source: Namespace,
    name: str,
    target: Namespace,
    new_name: str,
    placing: Placing,
    max_bytes: int,
) -> FileInfo:
    """Copy a file, as a save of its content."""
    with root.inside(source) as folder:
        descriptor, status = open_file(folder, name)
    try:
        if status.st_size > max_bytes:
            raise FileTooLargeError(max_bytes)
        if placing.metadata is None:
            placing = msgspec.structs.replace(placing, metadata=recorded_metadata(descriptor))
        file = Temporary.create(root, target)
        try:
            while block := os.read(descriptor, BLOCK):
                file.write(abort, (block,))
                file.digest(abort, (block,))
            return file.commit(abort, new_name, placing)
        finally:
            file.discard()
    finally:
        os.close(descriptor)


def move_file(
    abort: Abort, root: Root, source: Namespace, name: str, target: Namespace, new_name: str, placing: Placing
) -> FileInfo:
    """Move a file."""
    owners = {source.owner, target.owner}
    with root.inside(source) as folder, changing(root, owners, alone=placing.if_match is not None) as accounts:
        status = _regular(folder, name)
        destination = root.enter(target, create=True)
        try:
            abort.check()
            replaced = replaced_by(destination, new_name, placing)
            if replaced is not None and not os.path.samestat(replaced, status):
                accounts[target.owner].add(-replaced.st_size, -1)
            if source.owner != target.owner:
                accounts[target.owner].add(status.st_size, 1)
                accounts[source.owner].add(-status.st_size, -1)
            placed = place(folder, name, destination, new_name, placing.on_taken)
            os.fsync(destination)
            os.fsync(folder)
            return info_of(placed, os.stat(placed, dir_fd=destination, follow_symlinks=False))
        finally:
            os.close(destination)


def annotate_file(
    abort: Abort, root: Root, namespace: Namespace, name: str, metadata: Metadata, if_match: str | None
) -> FileInfo:
    """Keep other metadata with a file."""
    with root.inside(namespace) as folder, changing(root, [namespace.owner], alone=True):
        descriptor, status = open_file(folder, name)
        try:
            if if_match is not None and info_of(name, status).etag != if_match:
                raise FileChangedError(name)
            abort.check()
            record_metadata(descriptor, metadata)
            os.fsync(descriptor)
            return info_of(name, status, recorded_digest(descriptor, status), metadata)
        finally:
            os.close(descriptor)


def delete_file(abort: Abort, root: Root, namespace: Namespace, name: str, if_match: str | None) -> None:
    """Delete a file."""
    abort.check()
    remove_file(root, namespace, name, if_match)


def remove_file(root: Root, namespace: Namespace, name: str, if_match: str | None) -> None:
    """Delete a file, if it is the version with this entity tag; None: any version.

    Raises:
        FileChangedError: It is another.
    """
    alone = if_match is not None
    with root.inside(namespace) as folder, changing(root, [namespace.owner], alone=alone) as accounts:
        status = _regular(folder, name)
        if if_match is not None and info_of(name, status).etag != if_match:
            raise FileChangedError(name)
        accounts[namespace.owner].add(-status.st_size, -1)
        os.unlink(name, dir_fd=folder)
        os.fsync(folder)


def _regular(folder: int, name: str) -> os.stat_result:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeFileError
    return status


def delete_namespace(abort: Abort, root: Root, namespace: Namespace) -> int:
    """Delete the files of a namespace; how many there were."""
    try:
        folder = root.enter(namespace)
    except FileNotFoundError:
        return 0
    try:
        abort.check()
        with changing(root, [namespace.owner], alone=True) as accounts:
            account = accounts[namespace.owner]
            if not is_in_place(account.folder, folder_name(namespace), folder):
                return 0
            gone = rename_away(account.folder, folder_name(namespace))
            account.forget()
            parent = os.dup(account.folder)
        try:
            with os.scandir(folder) as entries:
                count = sum(_is_listed(entry) for entry in entries)
            remove_folder(parent, gone)
        finally:
            os.close(parent)
    finally:
        os.close(folder)
    return count
