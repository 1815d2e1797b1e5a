"""Who changes the files of an owner, one after another, and what they take up. All of it blocks.

The folder of an owner is locked (``flock``) for as long as a change takes: shared by changes that decide nothing, alone
by one that depends on what is there, such as the version of a file or a quota. With a quota, the sum of the files is
kept in a file beside them, which says that it is out of date from before a change until after it: what a killed process
or a power failure leaves is counted anew.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import struct
import uuid
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType

from bedplate.services.errors import BedplateError
from bedplate.services.storage.errors import QuotaExceededError
from bedplate.services.storage.local_folder import GONE, Root, is_in_place, open_folder
from bedplate.services.storage.models import StorageUsage
from bedplate.services.storage.names import is_name

__all__ = ["Account", "changing", "lock", "usage_of"]

USAGE = ".usage"
"""The name of the file with the sum, in the folder of the owner."""

_RECORD = struct.Struct("<4s16s?QQ")
_MAGIC = b"BPU1"
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def _boot_id() -> bytes:
    """Tells this run of the system from others: what was not flushed to the disk may be lost between two."""
    try:
        return uuid.UUID(_BOOT.read_text().strip()).bytes
    except (OSError, ValueError):
        return secrets.token_bytes(16)


_boot = _boot_id()


class Account:
    """What an owner has, while nobody else changes it.

    Args:
        folder: The folder of the owner.
        quota: Most bytes; 0: any number, and nothing is kept of the sum.
    """

    def __init__(self, folder: int, quota: int) -> None:
        self.folder = folder
        self._quota = quota
        self._before = self._after = (0, 0)
        self._changing = False

    def __enter__(self) -> "Account":
        if self._quota:
            self._before = self._after = _recorded(self.folder) or _measured(self.folder)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(USAGE, dir_fd=self.folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._changing:
            return
        if error is None:
            self._write(self._after, current=True)
        elif isinstance(error, BedplateError):  # a refusal: nothing has changed
            self._write(self._before, current=True)

    def add(self, size: int, files: int) -> None:
        """Count what is about to be added, or with negative numbers taken away; called before it is.

        Raises:
            QuotaExceededError: It is more than the owner may have.
        """
        if not self._quota:
            return
        total = self._after[0] + size
        if size > 0 and total > self._quota:
            raise QuotaExceededError(self._quota)
        self._after = (max(0, total), max(0, self._after[1] + files))
        if not self._changing:
            self._changing = True
            self._write(self._before, current=False)

    def forget(self) -> None:
        """Have it counted anew next time."""
        self._changing = False
        if self._quota:
            self._write(self._before, current=False)

    def _write(self, usage: tuple[int, int], *, current: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(USAGE, flags, 0o600, dir_fd=self.folder)
        try:
            os.pwrite(descriptor, _RECORD.pack(_MAGIC, _boot, current, *usage), 0)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def changing(root: Root, owners: Collection[uuid.UUID], *, alone: bool) -> Iterator[Mapping[uuid.UUID, Account]]:
    """Change files of the owners within the block.

    Args:
        root: The folder of all.
        owners: Whose files change.
        alone: Whether the change depends on what is there. With a quota every one does.
    """
    accounts: dict[uuid.UUID, Account] = {}
    with contextlib.ExitStack() as stack:
        for owner in sorted(set(owners)):  # in one order, so that two changes never wait for each other
            folder = stack.enter_context(_locked(root, owner, alone=alone or root.quota > 0))
            accounts[owner] = stack.enter_context(Account(folder, root.quota))
        yield accounts


def usage_of(root: Root, owner: uuid.UUID) -> StorageUsage:
    """What the files of an owner take up."""
    with root.folder.use() as top:
        try:
            folder = open_folder(top, str(owner))
        except FileNotFoundError:
            return StorageUsage(bytes=0, files=0, quota=root.quota or None)
    try:
        lock(folder, alone=False)
        size, files = (_recorded(folder) if root.quota else None) or _measured(folder)
    finally:
        os.close(folder)
    return StorageUsage(bytes=size, files=files, quota=root.quota or None)


def lock(folder: int, *, alone: bool) -> None:
    """Lock a folder until its descriptor is closed, where the file system knows locks."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


@contextlib.contextmanager
def _locked(root: Root, owner: uuid.UUID, *, alone: bool) -> Iterator[int]:
    with root.folder.use() as top:
        while True:
            folder = open_folder(top, str(owner), create=True)
            try:
                lock(folder, alone=alone)
                if is_in_place(top, str(owner), folder):
                    yield folder
                    return
            finally:
                os.close(folder)


def _recorded(folder: int) -> tuple[int, int] | None:
    """Bytes and files as they were written down; None if that may be out of date."""
    try:
        descriptor = os.open(USAGE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    try:
        magic, boot, current, size, files = _RECORD.unpack(os.pread(descriptor, _RECORD.size, 0))
    except (OSError, struct.error):
        return None
    finally:
        os.close(descriptor)
    return (size, files) if (magic, boot, current) == (_MAGIC, _boot, True) else None


def _measured(folder: int) -> tuple[int, int]:
    """Bytes and files as they are."""
    size = files = 0
    with os.scandir(folder) as namespaces:
        names = [entry.name for entry in namespaces if entry.is_dir(follow_symlinks=False)]
    for name in names:
        if name.startswith(GONE):
            continue
        with contextlib.suppress(FileNotFoundError):
            namespace = open_folder(folder, name)
            try:
                for status in _files(namespace):
                    size, files = size + status.st_size, files + 1
            finally:
                os.close(namespace)
    return size, files


def _files(namespace: int) -> Iterator[os.stat_result]:
    with os.scandir(namespace) as entries:
        for entry in entries:
            if not is_name(entry.name):
                continue
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield status
