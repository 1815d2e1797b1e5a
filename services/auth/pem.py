"""Keys of RS256 and EdDSA as PEM. Imported when there is one: cryptography's parsers cost a part of a start."""

import hashlib
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key

from bedplate.services.auth.signing_keys import SigningKey, base64url, unusable

__all__ = ["new_private_key", "private_pem", "read_pem"]

MIN_RSA_BITS: Final = 2048


def read_pem(content: bytes, origin: str, made_at: float = 0.0) -> SigningKey:
    """A key from its PEM, private or public.

    Args:
        content: The PEM.
        origin: The file or setting that it comes from, for the error.
        made_at: When it was made, in seconds since 1970.

    Raises:
        ConfigurationError: It is no RSA key of 2,048 bits or more, and no Ed25519 key, or is encrypted.
    """
    try:
        if b"PUBLIC KEY" in content:
            return _key(None, serialization.load_pem_public_key(content), origin, made_at)
        private = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # Only the class: the text may quote the key.
        raise unusable(origin, type(error).__name__) from None
    return _key(private, private.public_key(), origin, made_at)


def new_private_key(algorithm: str, rsa_bits: int) -> Any:
    """A new private key; an RSA key takes a tenth of a second."""
    return Ed25519PrivateKey.generate() if algorithm == "EdDSA" else generate_private_key(65537, rsa_bits)


def private_pem(private: Any) -> bytes:
    """The PEM of a private key (PKCS #8), not encrypted."""
    pem: bytes = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem


def _key(private: Any, public: Any, origin: str, made_at: float) -> SigningKey:
    if private is not None and not isinstance(private, (RSAPrivateKey, Ed25519PrivateKey)):
        raise unusable(origin, f"a key of kind {type(private).__name__}")
    if isinstance(public, RSAPublicKey):
        if public.key_size < MIN_RSA_BITS:
            raise unusable(origin, f"{public.key_size} bits, and {MIN_RSA_BITS} are the least")
        numbers = public.public_numbers()
        members = {"e": _uint(numbers.e), "kty": "RSA", "n": _uint(numbers.n)}
        algorithm = "RS256"
    elif isinstance(public, Ed25519PublicKey):
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        members = {"crv": "Ed25519", "kty": "OKP", "x": base64url(raw)}
        algorithm = "EdDSA"
    else:
        raise unusable(origin, f"a key of kind {type(public).__name__}")
    # The thumbprint is of exactly these members in this order (RFC 7638, section 3).
    key_id = base64url(hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest())
    jwk = {**members, "use": "sig", "alg": algorithm, "kid": key_id}
    return SigningKey(id=key_id, algorithm=algorithm, signs=private, verifies=public, jwk=jwk, made_at=made_at)


def _uint(number: int) -> str:
    return base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
