"""Signatures over content whose digest is known already."""

import io
from typing import Any, Final

from botocore.auth import AUTH_TYPE_MAPS, S3SigV4Auth

__all__ = ["Content", "sign_content"]

_VERSION: Final = "s3v4-bedplate"


class Content(io.BytesIO):
    """What an object or a part is made of: a buffer, since bytes would be copied on their way.

    Attributes:
        sha256: Its digest in hexadecimal, by which the signature covers it (AWS Signature Version 4): an endpoint that
            checks refuses other content. None: the library computes it, on the event loop.
    """

    sha256: str | None = None


class _ContentAuth(S3SigV4Auth):
    def payload(self, request: Any) -> str:
        body = request.body
        known = body.sha256 if isinstance(body, Content) else None
        return known or str(super().payload(request))


def sign_content(client: Any) -> None:
    """Have an S3 client sign what it uploads by the digest that comes with it."""
    AUTH_TYPE_MAPS[_VERSION] = _ContentAuth
    for operation in ("PutObject", "UploadPart"):
        client.meta.events.register(f"choose-signer.s3.{operation}", _choose)


def _choose(signature_version: str, **_: Any) -> str | None:
    # Others are those of buckets in one zone, and of addresses of several regions.
    return _VERSION if signature_version in {"v4", "s3v4"} else None
