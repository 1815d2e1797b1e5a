"""The keys that tokens are signed and verified with, as objects that are parsed once."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import orjson

from bedplate.services.errors import ConfigurationError
from bedplate.services.schema import ServiceType

__all__ = ["FOREVER", "SigningKey", "base64url", "derived_key", "secret_id", "secret_key", "unusable"]

FOREVER: Final = float("inf")


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key and what it is good for.

    Attributes:
        id: ``kid``: the thumbprint of the public key (RFC 7638), or a hash of a symmetric one.
        algorithm: The only algorithm that it is used with.
        signs: What signs; None for a key that only verifies.
        verifies: What verifies.
        jwk: The public key as published (RFC 7517); None for a symmetric one.
        made_at: When it was made, in seconds since 1970.
        good_until: When the last of its tokens has expired.
    """

    id: str
    algorithm: str
    signs: Any
    verifies: Any
    jwk: Mapping[str, str] | None = None
    made_at: float = 0.0
    good_until: float = FOREVER

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id!r}, algorithm={self.algorithm!r})"

    @property
    def header(self) -> dict[str, str]:
        """The header of its tokens."""
        return {"alg": self.algorithm, "kid": self.id, "typ": "JWT"}

    @property
    def segment(self) -> str:
        """The first part of its tokens, by which they are recognised without being parsed."""
        return base64url(orjson.dumps(self.header, option=orjson.OPT_SORT_KEYS))


def derived_key(key: bytes, key_id: str) -> SigningKey:
    """The symmetric key that derives from the secret key of the installation."""
    return SigningKey(id=key_id, algorithm="HS256", signs=key, verifies=key)


def secret_key(content: bytes, made_at: float, origin: str) -> SigningKey:
    """A symmetric key from its file.

    Raises:
        ConfigurationError: It is none.
    """
    try:
        key = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != 32:
        raise unusable(origin, "64 hexadecimal digits were expected")
    return SigningKey(id=secret_id(key), algorithm="HS256", signs=key, verifies=key, made_at=made_at)


def secret_id(key: bytes) -> str:
    """The id of a random symmetric key; tells nothing about it."""
    return hashlib.sha256(b"bedplate/auth/key-id" + key).hexdigest()[:16]


def base64url(octets: bytes) -> str:
    """Base 64 as JSON Web Signatures have it: for URLs, without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unusable(origin: str, why: str) -> ConfigurationError:
    """The error of a file or setting that holds no good key."""
    return ConfigurationError(
        f"{origin} holds no key that tokens can be signed with",
        service=ServiceType.AUTH,
        why=why,
        fix="give the PEM of an Ed25519 key, or of an RSA key of 2,048 bits or more, without a passphrase",
    )
