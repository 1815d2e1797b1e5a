"""The secret key of the installation, and the keys derived from it."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bedplate.services.base import Service
from bedplate.services.engines.keyring_checks import CHECKS
from bedplate.services.engines.secret_key import SecretKeyFile, StoredKey
from bedplate.services.logs import get_logger
from bedplate.services.settings import SettingsService

__all__ = ["Keyring"]

log = get_logger("bedplate.keyring")


class Keyring(Service):
    """Derives one key per purpose from the secret key.

    The key is the setting ``secret_key``, or the content of the file of that name in the data directory, which is made
    at the first start. All that is signed or encrypted depends on it: it belongs in a backup, apart from the database.
    """

    checks = CHECKS

    def __init__(self, settings: SettingsService) -> None:
        self._settings = settings
        self._file = SecretKeyFile(settings.values.data_dir)
        self._secret: bytes | None = None

    @property
    def key_id(self) -> str:
        """Tells this secret key from others, and nothing more about it: 12 hexadecimal digits.

        Raises:
            UnavailableError: The keyring is not started.
        """
        return self._derive("key-id", 6).hex()

    @property
    def origin(self) -> str:
        """Where the secret key comes from: the origin of the setting, or the file."""
        given = self._settings.values.secret_key
        return f"file {self._file.path}" if given is None else self._settings.origin("secret_key")

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key for ``purpose``, always the same for the same secret key (HKDF-SHA256, RFC 5869).

        Raises:
            UnavailableError: The keyring is not started.
        """
        return self._derive(f"purpose/{purpose}", 32)

    def derive_all(self, purpose: str) -> Mapping[str, bytes]:
        """As :meth:`derive`, of each secret key by its id: the one of now first, then those of earlier times.

        Raises:
            UnavailableError: The keyring is not started.
        """
        self._require_started()
        given = self._settings.values.previous_secret_keys
        secrets = [self._secret or b"", *(one.get_secret_value().encode() for one in given)]
        return {_derive(one, "key-id", 6).hex(): _derive(one, f"purpose/{purpose}", 32) for one in secrets}

    async def _start(self) -> None:
        """Read the secret key; make it if there is neither the setting nor the file.

        Raises:
            SecretKeyError: It cannot be read or written, or is too weak.
        """
        given = self._settings.values.secret_key
        if given is not None:
            self._secret = given.get_secret_value().encode()
            return
        stored = await self._stored()
        path = str(self._file.path)
        if stored.made:
            log.info("made a secret key: back it up, nothing encrypted can be read without it", path=path)
        if stored.shared:
            log.warning("other users of its group can read the secret key", path=path, fix=f"chmod 600 {path}")
        self._secret = stored.secret.encode()

    async def _stop(self) -> None:
        self._secret = None

    async def _stored(self) -> StoredKey:
        # A thread of its own: a disk that does not answer must time out this start, not stop the event loop.
        executor = ThreadPoolExecutor(1, thread_name_prefix="bedplate-keyring")
        try:
            stored = await asyncio.get_running_loop().run_in_executor(executor, self._file.read_or_make)
        except BaseException:
            executor.shutdown(wait=False)
            raise
        executor.shutdown()
        return stored

    def _derive(self, purpose: str, length: int) -> bytes:
        self._require_started()
        return _derive(self._secret or b"", purpose, length)


def _derive(secret: bytes, purpose: str, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=f"bedplate/{purpose}".encode()).derive(secret)
