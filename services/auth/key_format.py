"""What an API key looks like: ``sk-bp-``, 43 characters of entropy, 6 of checksum."""

import hashlib
import secrets
import string
import zlib

__all__ = ["PREFIX", "SHOWN", "hash_key", "mask", "new_key", "well_formed"]

PREFIX = "sk-bp-"
"""Tells scanners of leaked secrets whose key it is."""
ENTROPY_LENGTH = 43
"""Characters of base 62: 256 bits."""
CHECKSUM_LENGTH = 6
LENGTH = len(PREFIX) + ENTROPY_LENGTH + CHECKSUM_LENGTH
MAX_LENGTH = 512
SHOWN = 8
"""Characters of a key that its owner recognises it by; clients show as many."""

_ALPHABET = string.digits + string.ascii_letters


def new_key() -> str:
    """A new key, which nobody can guess."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(ENTROPY_LENGTH))
    return body + _checksum(body)


def well_formed(key: str) -> bool:
    """Whether it can be a key at all: mistyped and invented ones are told without asking the database.

    Keys brought over from another system have neither our prefix nor a checksum, and can be anything.
    """
    if not key.startswith(PREFIX):
        return 0 < len(key) <= MAX_LENGTH
    return len(key) == LENGTH and key.isascii() and _checksum(key[:-CHECKSUM_LENGTH]) == key[-CHECKSUM_LENGTH:]


def hash_key(key: str) -> str:
    """What is stored of a key. A plain SHA-256 will do: nobody can try out 256 bits of entropy."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def mask(shown: str, length: int) -> str:
    """The first characters of a key of that length, then one star per character."""
    return shown + "*" * (length - len(shown))


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
