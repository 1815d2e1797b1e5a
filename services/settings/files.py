"""Reading the files that hold settings."""

import stat
from pathlib import Path

from bedplate.services.settings.reading import Reading

__all__ = ["read_text"]

_MAX_BYTES = 1024 * 1024


def read_text(reading: Reading, setting: str, path: Path, *, required: bool, limit: int = _MAX_BYTES) -> str | None:
    """The text of a file; None, with the problem noted, if it cannot be had.

    Args:
        reading: Where problems are noted.
        setting: The setting that names the file.
        path: The file.
        required: Whether it is a problem that there is no such file.
        limit: Most bytes that are read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            reading.refuse_file(setting, str(path), "no regular file", what="cannot be read", fix="name a regular file")
            return None
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        if required:
            reading.refuse_file(setting, str(path), "no file", what="does not exist", fix="create it, or leave it out")
        return None
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        reading.refuse_file(setting, str(path), "a file", what=what, fix="let the user of this process read it")
        return None
    return _decode(reading, setting, path, content, limit)


def _decode(reading: Reading, setting: str, path: Path, content: bytes, limit: int) -> str | None:
    if len(content) > limit:
        reading.refuse_file(
            setting, str(path), f"a file over {limit} bytes", what="is too large", fix="make it smaller"
        )
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        shape = f"a file of {len(content)} bytes"
        reading.refuse_file(setting, str(path), shape, what=f"is not UTF-8 at line {line}", fix="save it as UTF-8")
        return None
