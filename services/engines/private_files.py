"""Files for their owner's eyes alone, whole or not at all: keys."""

import os
from pathlib import Path

__all__ = ["publish", "write_private"]


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that nobody else can read, through to the disk.

    Raises:
        FileExistsError: There is one of that name.
        OSError: It cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def publish(temporary: Path, path: Path) -> bool:
    """Give a finished file its name, unless the name is taken: a link, unlike a rename, never replaces a file.

    Returns:
        Whether the name was free.

    Raises:
        OSError: The file system has no links, or the folder cannot be written to.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True
