"""The secret key of the installation, and the keys derived from it."""

import secrets

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bedplate.services.base import Service
from bedplate.services.settings import SettingsService

__all__ = ["Keyring"]


class Keyring(Service):
    """Derives one key per purpose from the secret key, which it reads, or makes once, at start."""

    def __init__(self, settings: SettingsService) -> None:
        self._settings = settings.values
        self._secret: bytes | None = None

    async def _start(self) -> None:
        given = self._settings.secret_key
        self._secret = given.get_secret_value().encode() if given else secrets.token_bytes(32)

    async def _stop(self) -> None:
        self._secret = None

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key for ``purpose``, always the same for the same secret key (HKDF-SHA256, RFC 5869)."""
        self._require_started()
        return HKDF(SHA256(), 32, salt=None, info=f"bedplate/{purpose}".encode()).derive(self._secret or b"")
