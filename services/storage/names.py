"""The one validator of names: every method of the service passes every name through it, whatever the backend.

A name is one segment of a path. What is refused here cannot lead out of its folder (CWE-22), hide itself, break a
header or a log line, or mean a device or a stream of its own on the systems that files are copied to.
"""

import itertools
import re
import uuid
from collections.abc import Callable
from pathlib import PurePosixPath

from bedplate.services.storage.errors import FileNameError
from bedplate.services.storage.models import Namespace

__all__ = [
    "MAX_NAME_BYTES",
    "TEMPORARY",
    "check_name",
    "check_namespace",
    "free_name",
    "is_name",
    "numbered",
    "shortened",
]

MAX_NAME_BYTES = 255
"""Longest name in bytes of UTF-8 (NAME_MAX of the usual file systems)."""

TEMPORARY = ".part-"
"""How the names of files that are still being written begin; no other name may."""

_MAX_SUFFIX_BYTES = 32
_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")
# Control characters, separators of lines, marks that reorder text ("exe.txt" that is a "txt.exe"), lone surrogates.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SEPARATOR = re.compile(r"[/\\]")
_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)


def check_name(name: object) -> str:
    """The name of a file, if it is a possible one.

    Raises:
        FileNameError: It is not; the message says what is wrong with it.
    """
    if not isinstance(name, str) or not name:
        raise FileNameError("a file needs a name that is not empty", fix="give it a name")
    if (wrong := _wrong(name)) is not None:
        raise FileNameError(f"{name[:80]!a} is not a name for a file: it {wrong[0]}", fix=wrong[1])
    return name


def is_name(name: str) -> bool:
    """Whether :func:`check_name` accepts it."""
    return bool(name) and _wrong(name) is None


def check_namespace(namespace: object) -> Namespace:
    """The namespace, if it is a possible one.

    Raises:
        FileNameError: Its owner or id is no UUID, or its kind no lower-case word.
    """
    if isinstance(namespace, Namespace) and _is_sound(namespace.owner, namespace.kind, namespace.id):
        return namespace
    raise FileNameError(
        "this is no namespace of files",
        fix="use Namespace.user or Namespace.flow, or a kind of lower-case letters, digits and '_', with UUIDs",
    )


def numbered(name: str, number: int) -> str:
    """The name with a number before its extension, ``"a (1).txt"``; 0 leaves it as it is."""
    if number == 0:
        return name
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > _MAX_SUFFIX_BYTES:  # no extension, but a name with a dot in it
        suffix = ""
    return shortened(name.removesuffix(suffix), f" ({number}){suffix}")


def free_name(name: str, is_taken: Callable[[str], bool]) -> str:
    """The first of ``"a.txt"``, ``"a (1).txt"``, ``"a (2).txt"`` and so on that is not taken."""
    return next(free for number in itertools.count() if not is_taken(free := numbered(name, number)))


def shortened(stem: str, ending: str) -> str:
    """Stem and ending, with as much of the stem as the longest name has room for."""
    room = MAX_NAME_BYTES - len(ending.encode())
    return stem.encode()[: max(room, 0)].decode(errors="ignore") + ending


def _is_sound(owner: object, kind: object, of: object) -> bool:
    # A Struct does not check the types of what it is made of.
    return (
        isinstance(owner, uuid.UUID)
        and isinstance(of, uuid.UUID)
        and isinstance(kind, str)
        and _KIND.fullmatch(kind) is not None
    )


def _wrong(name: str) -> tuple[str, str] | None:
    """What is wrong with a name, and what to do about it."""
    if _CONTROL.search(name):
        return "has control characters", "leave them out"
    if _SEPARATOR.search(name):
        return "has a slash or backslash", "give the name alone, without a path"
    if name in {".", ".."} or _DRIVE.match(name) or _DEVICE.fullmatch(name):
        return "is reserved", "use another name"
    if name.startswith(TEMPORARY):
        return f"begins with {TEMPORARY!r}, which is reserved", "use another name"
    if name[-1] in " .":
        return "ends with a space or a dot", "leave that out"
    if (size := len(name.encode())) > MAX_NAME_BYTES:
        return f"has {size} bytes", f"use at most {MAX_NAME_BYTES} bytes of UTF-8"
    return None
