"""What may be left over when everything is stopped."""

import os

__all__ = ["open_files"]


def open_files() -> int:
    """How many files, sockets and pipes this process holds open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # as cheap as it gets, and it opens one itself
