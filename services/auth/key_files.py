"""The folder in which signing keys are kept: files that never change, named after when they were made."""

import os
import re
import secrets
import stat
from pathlib import Path

import msgspec

from bedplate.services.engines.private_files import publish, write_private
from bedplate.services.errors import ConfigurationError
from bedplate.services.schema import ServiceType

__all__ = ["KeyFile", "KeyFolder", "read_key_file"]

MAX_BYTES = 32_768
_NAME = re.compile(r"(?P<made>[0-9]{13})-(?P<id>[A-Za-z0-9_-]{1,64})\.(pem|key)\Z")


class KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the folder.

    Attributes:
        path: Where it is; its suffix is ``.pem``, or ``.key`` for a symmetric key.
        content: What is in it.
        made_at: When its key was made, in seconds since 1970.
    """

    path: Path
    content: bytes
    made_at: float

    def __repr__(self) -> str:
        return f"KeyFile(path={str(self.path)!r})"


class KeyFolder:
    """Reads, adds and removes key files. All of it blocks.

    Args:
        path: The folder; made, for its owner alone, when the first key is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[KeyFile]:
        """All keys, oldest first; none where there is no folder.

        Raises:
            ConfigurationError: A file cannot be read, or everybody can read it.
        """
        try:
            names = sorted(path.name for path in self.path.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _error(self.path, "the folder of the signing keys cannot be read", error.strerror) from error
        found = []
        for name in names:
            if match := _NAME.match(name):
                path = self.path / name
                try:
                    content = read_key_file(path)
                except FileNotFoundError:
                    continue  # removed by another process, since its tokens have expired
                found.append(KeyFile(path=path, content=content, made_at=int(match["made"]) / 1000))
        return found

    def add(self, key_id: str, content: bytes, *, suffix: str, made_at: float) -> None:
        """Write a key, whole or not at all.

        Raises:
            ConfigurationError: It cannot be written.
        """
        path = self.path / f"{int(made_at * 1000):013d}-{key_id}{suffix}"
        temporary = self.path / f".{secrets.token_hex(8)}"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                write_private(temporary, content)
                publish(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise _error(path, "a signing key cannot be written", error.strerror) from error

    def remove(self, file: KeyFile) -> None:
        """Delete a key whose tokens have all expired."""
        file.path.unlink(missing_ok=True)


def read_key_file(path: Path) -> bytes:
    """The content of a file with a key.

    Raises:
        ConfigurationError: It cannot be read, is too large, or everybody can read a private key in it.
        FileNotFoundError: There is none.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _error(path, "the signing key cannot be read", error.strerror) from error
    if len(content) > MAX_BYTES:
        raise _error(path, "the file of a signing key is too large", f"more than {MAX_BYTES} bytes")
    if mode & stat.S_IRWXO and os.name == "posix" and b"PUBLIC KEY" not in content:
        raise ConfigurationError(
            f"every user of this machine can read the signing key: {path}",
            service=ServiceType.AUTH,
            fix=f"chmod 600 {path}, and rotate the key",
        )
    return content


def _error(path: Path, what: str, why: str | None) -> ConfigurationError:
    return ConfigurationError(
        f"{what}: {path}",
        service=ServiceType.AUTH,
        why=why,
        fix="let the user of this process, and nobody else, read and write it",
    )
