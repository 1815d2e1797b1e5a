"""Files of the local backend: written under a temporary name, then put in their place. All of it blocks."""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from bedplate.services.storage.abort import Abort
from bedplate.services.storage.backend import Placing
from bedplate.services.storage.content_types import content_type_of
from bedplate.services.storage.errors import (
    FileChangedError,
    FileTakenError,
    NamespaceDeletedError,
    UnsafeFileError,
)
from bedplate.services.storage.local_accounts import changing
from bedplate.services.storage.local_attributes import record_digest, record_metadata
from bedplate.services.storage.local_folder import Root, folder_name, is_in_place
from bedplate.services.storage.models import FileInfo, Metadata, Namespace, OnTaken
from bedplate.services.storage.names import TEMPORARY, numbered

__all__ = ["BLOCK", "Temporary", "digest_of", "info_of", "open_file", "place", "replaced_by"]

BLOCK = 1024 * 1024
"""Bytes between two looks at whether the work is still wanted."""

_ATTEMPTS = 5
_MAX_NUMBER = 10_000
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe waits for a writer.
_EXISTING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Temporary:
    """A file that is being written, in the folder where it shall be, under a name that no list shows.

    It is locked (``flock``) for as long as its process lives: what can be locked by another is left over.
    """

    def __init__(self, root: Root, namespace: Namespace, folder: int, name: str, descriptor: int) -> None:
        self._root = root
        self._namespace = namespace
        self._folder = folder
        self._name = name
        self._descriptor = descriptor
        self._reserved = root.reserved
        self._digest = hashlib.sha256()
        self._placed = False

    @classmethod
    def create(cls, root: Root, namespace: Namespace) -> "Temporary":
        """An empty one in the namespace, which is made if it is not there.

        Raises:
            NamespaceDeletedError: Somebody keeps deleting the namespace.
        """
        for _ in range(_ATTEMPTS):
            folder = root.enter(namespace, create=True)
            name = TEMPORARY + secrets.token_hex(12)
            try:
                made = cls(root, namespace, folder, name, os.open(name, _NEW, 0o600, dir_fd=folder))
            except BaseException as error:
                os.close(folder)
                if isinstance(error, FileNotFoundError):
                    continue  # the folder was deleted in between
                raise
            try:
                if made._lock():
                    return made
            except BaseException:
                made.discard()
                raise
            made.discard()
        raise NamespaceDeletedError

    def write(self, abort: Abort, chunks: Sequence[bytes]) -> None:
        """Add to it, but not to its digest. Takes at most 1024 chunks (IOV_MAX)."""
        self._require_space(sum(map(len, chunks)))
        if len(chunks) > 1:
            written = os.writev(self._descriptor, chunks)
            if written == sum(map(len, chunks)):
                return
            chunks = (b"".join(chunks)[written:],)
        for block in _blocks(chunks[0]):
            abort.check()
            while block:
                block = block[os.write(self._descriptor, block) :]

    def digest(self, abort: Abort, chunks: Sequence[bytes]) -> None:
        """Add to its digest; may run beside :meth:`write`, which takes half as long."""
        for chunk in chunks:
            for block in _blocks(chunk):
                abort.check()
                self._digest.update(block)

    def commit(self, abort: Abort, name: str, placing: Placing) -> FileInfo:
        """Make it durable, then put it in its place."""
        now = time.time_ns()
        # The clock that a file system stamps with may tick too seldom to tell two saves apart.
        os.utime(self._descriptor, ns=(now, now))
        status = os.fstat(self._descriptor)
        digest = self._digest.digest()
        record_digest(self._descriptor, status, digest)
        metadata = placing.metadata or {}
        record_metadata(self._descriptor, metadata)
        os.fsync(self._descriptor)
        abort.check()
        name = self._place(name, status, placing)
        self._placed = True
        os.fsync(self._folder)
        return info_of(name, status, digest.hex(), metadata)

    def _place(self, name: str, status: os.stat_result, placing: Placing) -> str:
        owner = self._namespace.owner
        with changing(self._root, [owner], alone=placing.if_match is not None) as accounts:
            account = accounts[owner]
            if not is_in_place(account.folder, folder_name(self._namespace), self._folder):
                raise NamespaceDeletedError
            replaced = replaced_by(self._folder, name, placing)
            account.add(status.st_size - (0 if replaced is None else replaced.st_size), int(replaced is None))
            try:
                return place(self._folder, self._name, self._folder, name, placing.on_taken)
            except FileNotFoundError:
                raise NamespaceDeletedError from None

    def discard(self) -> None:
        """Remove it unless it is in its place, and close it; may be called twice."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        try:
            if not self._placed:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._name, dir_fd=self._folder)
        finally:
            os.close(descriptor)
            os.close(self._folder)

    def _require_space(self, size: int) -> None:
        system = os.fstatvfs(self._descriptor)
        if system.f_bavail * system.f_frsize < size + self._reserved:
            raise OSError(errno.ENOSPC, "what is left of the disk is not for files")

    def _lock(self) -> bool:
        """Lock it; whether it is still there, since a sweeper may have been quicker."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            # A file system without locks: nothing is swept there either.
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
        return os.fstat(self._descriptor).st_nlink == 1


def replaced_by(folder: int, name: str, placing: Placing) -> os.stat_result | None:
    """The status of the regular file that would make room in this place; None: there is none, or it stays.

    Raises:
        FileChangedError: It is not the version that ``placing`` names.
    """
    if placing.if_match is None and placing.on_taken is not OnTaken.REPLACE:
        return None
    try:
        status: os.stat_result | None = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        status = None
    if status is not None and not stat.S_ISREG(status.st_mode):
        status = None
    if placing.if_match is not None and (status is None or info_of(name, status).etag != placing.if_match):
        raise FileChangedError(name)
    return status


def place(source: int, name: str, target: int, new_name: str, on_taken: OnTaken) -> str:
    """Give the file ``name`` in the folder ``source`` a new name in the folder ``target``; the name that it got.

    Raises:
        FileTakenError: The name is taken.
        FileNotFoundError: The file, or the folder, is gone.
    """
    if on_taken is OnTaken.REPLACE:
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
        return new_name
    for number in range(_MAX_NUMBER if on_taken is OnTaken.NUMBER else 1):
        candidate = numbered(new_name, number)
        # A link fails where a rename would replace.
        with contextlib.suppress(FileExistsError):
            os.link(name, candidate, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
            os.unlink(name, dir_fd=source)
            return candidate
    raise FileTakenError(new_name)


def open_file(folder: int, name: str) -> tuple[int, os.stat_result]:
    """A descriptor of a regular file for reading, for the caller to close, and its status.

    Raises:
        FileNotFoundError: There is none.
        UnsafeFileError: It is something else; a symbolic link is an ``OSError`` (ELOOP).
    """
    descriptor = os.open(name, _EXISTING, dir_fd=folder)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status
    os.close(descriptor)
    raise UnsafeFileError


def info_of(name: str, status: os.stat_result, digest: str | None = None, metadata: Metadata | None = None) -> FileInfo:
    """What is known of a file."""
    return FileInfo(
        name=name,
        size=status.st_size,
        content_type=content_type_of(name),
        etag=f'"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"',
        modified_at=datetime.fromtimestamp(status.st_mtime_ns / 1e9, UTC),
        sha256=digest,
        metadata=metadata,
    )


def digest_of(abort: Abort, descriptor: int) -> str:
    """The sha256 of the content, computed."""
    digest = hashlib.sha256()
    offset = 0
    while block := os.pread(descriptor, BLOCK, offset):
        abort.check()
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()


def _blocks(chunk: bytes) -> Iterator[memoryview]:
    view = memoryview(chunk)
    return (view[start : start + BLOCK] for start in range(0, len(view), BLOCK))
