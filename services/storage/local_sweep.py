"""What killed processes left behind in the folder of the local backend, found and removed. All of it blocks."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from bedplate.services.storage.abort import Abort
from bedplate.services.storage.local_folder import GONE, Root, open_folder, remove_folder
from bedplate.services.storage.names import TEMPORARY

__all__ = ["sweep"]


def sweep(abort: Abort, root: Root) -> int:
    """Remove half-written files that no living process writes, and half-deleted folders; how many of both."""
    with root.folder.use() as top:
        return _sweep_folder(abort, top, depth=2)


def _sweep_folder(abort: Abort, folder: int, depth: int) -> int:
    """Sweep a folder and those in it: owners, then namespaces, then files."""
    removed = 0
    for name, is_folder in _entries(folder):
        abort.check()
        if is_folder and name.startswith(GONE):
            remove_folder(folder, name)
            removed += 1
        elif is_folder and depth:
            with contextlib.suppress(OSError), _opened(folder, name) as inner:
                removed += _sweep_folder(abort, inner, depth - 1)
        elif not is_folder and not depth and name.startswith(TEMPORARY):
            removed += _remove_if_left(folder, name)
    return removed


def _entries(folder: int) -> list[tuple[str, bool]]:
    with os.scandir(folder) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


@contextlib.contextmanager
def _opened(parent: int, name: str) -> Iterator[int]:
    folder = open_folder(parent, name)
    try:
        yield folder
    finally:
        os.close(folder)


def _remove_if_left(folder: int, name: str) -> bool:
    """Remove a temporary file unless its writer lives, which then holds its lock."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=folder)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)
