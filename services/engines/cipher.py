"""Authenticated encryption of values: AES-256-GCM (NIST SP 800-38D) with the id of the key in the header."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["Cipher", "SealError"]

_VERSION = b"\x01"
_KEY_ID = slice(1, 7)
_NONCE = slice(7, 19)
_SHORTEST = 19 + 16


class SealError(Exception):
    """A sealed value cannot be opened; the text says why and nothing of the value."""


class Cipher:
    """Seals and opens values.

    A sealed value is: version (1 byte), id of the key (6), nonce (12), ciphertext, tag (16). The header and the
    context are authenticated with it, so that a value opens only where it was sealed for.

    Args:
        key: 32 bytes.
        key_id: 12 hexadecimal digits that tell this key from others.
    """

    def __init__(self, key: bytes, key_id: str) -> None:
        self._aead = AESGCM(key)
        self._header = _VERSION + bytes.fromhex(key_id)
        self.key_id = key_id

    def seal(self, value: bytes, context: bytes) -> bytes:
        """Encrypt ``value`` for ``context``, which must be given again to open it."""
        # Random nonces are safe for 2**32 values under one key, which no installation reaches.
        nonce = secrets.token_bytes(12)
        return self._header + nonce + self._aead.encrypt(nonce, value, self._header + context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt what was sealed with this key for this context.

        Raises:
            SealError: It was changed, sealed for another context, or with another key.
        """
        if len(sealed) < _SHORTEST or not sealed.startswith(_VERSION):
            raise SealError("it is not of the form of an encrypted value")
        if sealed[: _KEY_ID.stop] != self._header:
            raise SealError(f"it is encrypted with the key {sealed[_KEY_ID].hex()}, and the key here is {self.key_id}")
        try:
            return self._aead.decrypt(sealed[_NONCE], sealed[_NONCE.stop :], self._header + context)
        except InvalidTag:
            raise SealError("it was changed, or belongs elsewhere") from None
