"""What the doctor looks at in the data directory and in the file of the secret key."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bedplate.services.checks import Check, Severity, Surroundings, Trouble, check

__all__ = ["CHECKS", "file_system_of"]

_NETWORK = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
)
_MOUNTS = Path("/proc/mounts")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@check("keyring.own-key-per-replica", Severity.ERROR, "Replicas have one secret key")
def _own_key_per_replica(_keyring: Any, around: Surroundings) -> Iterator[Trouble]:
    if around.values.server.replicas > 1 and around.values.secret_key is None:
        yield Trouble(
            "there are several replicas, and each machine makes a secret key of its own: one refuses the tokens of "
            "another, and cannot read its variables",
            fix="give all of them one BEDPLATE_SECRET_KEY, made with: openssl rand -hex 32",
        )


@check("keyring.secret-key-file", Severity.ERROR, "The file of the secret key is readable by its owner alone")
def _secret_key_file(_keyring: Any, around: Surroundings) -> Iterator[Trouble]:
    path = around.values.data_dir / "secret_key"
    if around.values.secret_key is not None or not path.exists():
        return
    if not os.access(path, os.R_OK):
        yield Trouble(
            f"{path} cannot be read by the user of this process", fix=f"chown it to that user, chmod 600 {path}"
        )
    elif os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & _OTHERS:
        yield Trouble(f"others can read {path}", fix=f"chmod 600 {path}, and think about who may have read it")


@check("data-dir.unwritable", Severity.ERROR, "The data directory can be written, or made")
def _unwritable(_keyring: Any, around: Surroundings) -> Iterator[Trouble]:
    folder = around.values.data_dir
    place = _existing(folder)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        yield Trouble(
            f"the user of this process cannot write to {place}" if place.is_dir() else f"{place} is no folder",
            fix=f"let that user write to it, or set BEDPLATE_DATA_DIR (now {folder}) to another folder",
        )


@check("data-dir.shared", Severity.WARNING, "Nobody else on this machine can look into the data directory")
def _shared(_keyring: Any, around: Surroundings) -> Iterator[Trouble]:
    folder = around.values.data_dir
    mode = stat.S_IMODE(folder.stat().st_mode) if folder.is_dir() and os.name == "posix" else 0
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield Trouble(f"others can write to {folder}", fix=f"chmod 700 {folder}", severity=Severity.ERROR)
    elif mode & stat.S_IROTH:
        yield Trouble(f"every user of this machine can read {folder}", fix=f"chmod 700 {folder}")


@check("data-dir.network-file-system", Severity.ERROR, "The data directory is on a disk of this machine")
def _network_file_system(_keyring: Any, around: Surroundings) -> Iterator[Trouble]:
    kind = file_system_of(_existing(around.values.data_dir))
    if kind in _NETWORK:
        yield Trouble(
            f"{around.values.data_dir} is on {kind}, where SQLite's locks and shared memory do not work",
            fix="set BEDPLATE_DATA_DIR to a folder on a disk of this machine",
        )


@check("data-dir.low-space", Severity.WARNING, "The disk of the data directory has room")
def _low_space(_keyring: Any, around: Surroundings) -> Iterator[Trouble]:
    place = _existing(around.values.data_dir)
    free, least = shutil.disk_usage(place).free, around.values.storage.low_space_bytes
    if free < least:
        yield Trouble(
            f"{free >> 20} MiB are free at {place}, which is less than the {least >> 20} of "
            "BEDPLATE_STORAGE__LOW_SPACE_BYTES",
            fix="free space, or set BEDPLATE_DATA_DIR to a folder on another disk",
        )


CHECKS: tuple[Check, ...] = (
    _own_key_per_replica,
    _secret_key_file,
    _unwritable,
    _shared,
    _network_file_system,
    _low_space,
)


def file_system_of(path: Path, mounts: Path | None = None) -> str | None:
    """The kind of file system that a path is on, as Linux calls it; None where that cannot be told."""
    try:
        lines = (mounts or _MOUNTS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    place = path.resolve()
    found: tuple[str, str | None] = ("", None)
    for line in lines:
        _device, point, kind, *_rest = line.split(" ")
        # Spaces and the like stand there as octal escapes.
        folder = point.encode().decode("unicode_escape")
        if place.is_relative_to(folder) and len(folder) >= len(found[0]):
            found = (folder, kind)
    return found[1]


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that there is."""
    return next(place for place in (folder, *folder.parents) if place.exists())
