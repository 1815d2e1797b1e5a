"""The file that keeps the secret key: made once, whole or not at all, readable by its owner alone."""

import errno
import os
import secrets
import stat
from pathlib import Path

import msgspec

from bedplate.services.engines.private_files import publish, write_private
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings.strength import weakness_of

__all__ = ["SecretKeyError", "SecretKeyFile", "StoredKey"]

_MAX_BYTES = 4096
_LOST = "restore it from the backup; if nothing was ever encrypted with it, delete it, and a new one is made"


class SecretKeyError(ConfigurationError):
    """The secret key cannot be read, kept or trusted; nothing was overwritten."""

    code = "secret_key"


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """The secret key as found in its file.

    Attributes:
        secret: The key.
        made: Whether this process made it just now.
        shared: Whether the group of the file can read it too.
    """

    secret: str
    made: bool
    shared: bool

    def __repr__(self) -> str:
        return f"StoredKey(made={self.made}, shared={self.shared})"


class SecretKeyFile:
    """The file ``secret_key`` in a folder.

    Args:
        folder: The folder; made, for its owner alone, when a key must be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "secret_key"

    def read_or_make(self) -> StoredKey:
        """The key in the file; a new one if there is no file. Processes that do so at once agree on one key.

        Raises:
            SecretKeyError: The file cannot be read or written, or holds no key that is worth the name.
        """
        if stored := self._read(made=False):
            return stored
        made = self._make()
        if stored := self._read(made=made):
            return stored
        raise self._error("the secret key file disappeared while it was made", fix="start again")

    def _read(self, *, made: bool) -> StoredKey | None:
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            fix = "let the user of this process, and nobody else, read it"
            raise self._error("the secret key file cannot be read", why=error.strerror, fix=fix) from error
        if mode & stat.S_IRWXO and os.name == "posix":
            fix = f"chmod 600 {self.path}, and think about who may have read it"
            raise self._error("every user of this machine can read the secret key file", fix=fix)
        return StoredKey(secret=self._parse(content), made=made, shared=bool(mode & stat.S_IRWXG))

    def _parse(self, content: bytes) -> str:
        if not content.strip():
            raise self._error("the secret key file is empty", fix=_LOST)
        secret = content.decode("ascii", errors="replace").strip()
        if len(content) > _MAX_BYTES or not secret.isascii() or not secret.isprintable() or " " in secret:
            raise self._error("the secret key file is corrupt", why="one line of ASCII text was expected", fix=_LOST)
        if weakness := weakness_of(secret):
            raise self._error("the secret key in the file is too weak", why=f"it {weakness}", fix=_LOST)
        return secret

    def _make(self) -> bool:
        """Write a new key, unless another process is quicker; whether this one did."""
        temporary = self.path.with_name(f".secret_key.{secrets.token_hex(8)}")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                write_private(temporary, f"{secrets.token_urlsafe(32)}\n".encode())
                return publish(temporary, self.path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> SecretKeyError:
        what, why = "the secret key cannot be written to the data directory", error.strerror
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return self._error(what, why=why, fix=f"free space on the disk of {self.path.parent} and start again")
        if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            why = f"{why}; its file system may have no hard links"
        return self._error(
            what,
            why=why,
            fix="set BEDPLATE_DATA_DIR to a folder that this process can write to, or BEDPLATE_SECRET_KEY",
        )

    def _error(self, what: str, *, fix: str, why: str | None = None) -> SecretKeyError:
        return SecretKeyError(f"{what}: {self.path}", service="keyring", why=why, fix=fix)
