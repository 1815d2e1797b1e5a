"""Links that open one file, for one purpose and a time, to whoever has them.

A link carries what it is good for, and an HMAC-SHA256 of that under a key of the installation: nothing of it is stored,
so that any replica with the same secret key accepts it, and none can be revoked before its time but by deleting the
file or changing the secret key.
"""

import base64
import binascii
import hashlib
import hmac
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from bedplate.services.storage.errors import FileNameError, SignedUrlError
from bedplate.services.storage.models import Namespace, SignedAccess
from bedplate.services.storage.names import check_name, check_namespace

__all__ = ["MAX_TOKEN", "Signer"]

MAX_TOKEN: Final = 2048
"""Longest token, in characters."""

_VERSION: Final = 1
_MAC = hashlib.sha256().digest_size
_FIX = "ask whoever gave the link for a new one"


class _Claims(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a token says, in this order."""

    version: int
    method: Literal["GET", "PUT"]
    owner: bytes
    kind: str
    of: bytes
    name: str
    expires: int
    filename: str | None
    inline: bool


_decode = msgspec.msgpack.Decoder(_Claims).decode


class Signer:
    """Makes and checks the tokens of links.

    Args:
        key: The key; 32 bytes.
        clock: Seconds since 1970.
    """

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock

    def sign(self, access: SignedAccess) -> str:
        """The token that gives this access."""
        namespace = access.namespace
        claims = _Claims(
            version=_VERSION,
            method=access.method,
            owner=namespace.owner.bytes,
            kind=namespace.kind,
            of=namespace.id.bytes,
            name=access.name,
            expires=int(access.expires_at.timestamp()),
            filename=access.filename,
            inline=access.inline,
        )
        packed = msgspec.msgpack.encode(claims)
        return _text(self._mac(packed) + packed)

    def verify(self, token: str, method: str) -> SignedAccess:
        """What a token gives access to.

        Args:
            token: What :meth:`sign` gave.
            method: What it is used for.

        Raises:
            SignedUrlError: It was made or changed by somebody else, is for something else, or its time is over.
        """
        signed = _bytes(token)
        packed = signed[_MAC:]
        if not hmac.compare_digest(signed[:_MAC], self._mac(packed)):
            raise SignedUrlError("the link is not valid", fix=_FIX)
        try:
            claims = _decode(packed)
            access = _access(claims)
        except (msgspec.MsgspecError, ValueError, FileNameError):  # signed by another version of this program
            raise SignedUrlError("the link is not valid any more", fix=_FIX) from None
        if claims.version != _VERSION or claims.expires <= self._clock():
            raise SignedUrlError("the link has expired", fix=_FIX)
        if claims.method != method:
            raise SignedUrlError(f"the link is for {claims.method}, and not for {method}", fix=_FIX)
        return access

    def _mac(self, packed: bytes) -> bytes:
        return hmac.digest(self._key, packed, "sha256")


def _access(claims: _Claims) -> SignedAccess:
    namespace = Namespace(owner=uuid.UUID(bytes=claims.owner), kind=claims.kind, id=uuid.UUID(bytes=claims.of))
    return SignedAccess(
        method=claims.method,
        namespace=check_namespace(namespace),
        name=check_name(claims.name),
        expires_at=datetime.fromtimestamp(claims.expires, UTC),
        filename=claims.filename,
        inline=claims.inline,
    )


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(token: str) -> bytes:
    """The bytes that a token stands for, if it is the one way to write them."""
    try:
        if len(token) <= MAX_TOKEN:
            data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            if _text(data) == token and len(data) > _MAC:
                return data
    except (binascii.Error, ValueError):
        pass
    raise SignedUrlError("the link is not valid", fix=_FIX)
