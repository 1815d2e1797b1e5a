"""What S3 APIs and their client say when something is wrong, as errors that name the setting and the fix."""

import asyncio
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from bedplate.services.errors import BedplateError
from bedplate.services.storage.errors import ObjectStoreError, ObjectStoreSettingError, StorageFullError

__all__ = ["typed_errors"]

_ENV: Final = "BEDPLATE_STORAGE__S3_"
_KEYS: Final = f"{_ENV}ACCESS_KEY and {_ENV}SECRET_KEY"

_REFUSALS: Final = {
    "NoSuchBucket": ("there is no bucket {bucket!r}", f"make it, or set {_ENV}BUCKET to one that is there"),
    "InvalidBucketName": ("{bucket!r} is not a name for a bucket", f"set {_ENV}BUCKET to the name of one"),
    "AllAccessDisabled": ("the bucket {bucket!r} is closed", f"set {_ENV}BUCKET to another, or have it opened"),
    "AccessDenied": (
        "the bucket {bucket!r} may not be used with these credentials",
        "allow them ListBucket, GetObject, PutObject, DeleteObject, AbortMultipartUpload, ListBucketMultipartUploads"
        f" and, with tags, PutObjectTagging, or set others in {_KEYS}",
    ),
    "InvalidAccessKeyId": ("the access key is not known there", f"set {_KEYS} to a pair that the endpoint knows"),
    "SignatureDoesNotMatch": ("the secret key is not that of the access key", f"set {_KEYS} to one pair"),
    "ExpiredToken": ("the credentials have expired", f"set {_KEYS} and {_ENV}SESSION_TOKEN to new ones"),
    "InvalidToken": ("the session token is not valid", f"set {_ENV}SESSION_TOKEN to that of the keys, or leave it out"),
    "RequestTimeTooSkewed": ("the clocks of this machine and of the endpoint differ", "set the clock of this machine"),
    "InvalidTag": ("the tags are refused", f"set {_ENV}TAGS to tags that the endpoint allows, or to none"),
    "WrongRegion": ("the bucket {bucket!r} is in another region", f"set {_ENV}REGION to that of the bucket"),
    "NotS3": ("what answers there is not an S3 API", f"set {_ENV}ENDPOINT to the URL of the API, without the bucket"),
}
_ALIASES: Final = {
    "PermanentRedirect": "WrongRegion",
    "AuthorizationHeaderMalformed": "WrongRegion",
    "IllegalLocationConstraintException": "WrongRegion",
    "301": "WrongRegion",
    "403": "AccessDenied",
    "Forbidden": "AccessDenied",
    "UnauthorizedAccess": "AccessDenied",
    "AuthFailure": "SignatureDoesNotMatch",
    "AuthorizationError": "InvalidAccessKeyId",
    "InvalidClientTokenId": "InvalidAccessKeyId",
    "TokenRefreshRequired": "ExpiredToken",
    "405": "NotS3",
    "MethodNotAllowed": "NotS3",
    "404": "NotS3",
    "400": "NotS3",
    "MalformedTag": "InvalidTag",
}
_FULL: Final = {"507", "InsufficientStorage", "XMinioStorageFull", "QuotaExceeded", "EntityTooLarge"}
_BUSY: Final = {
    "SlowDown",
    "503",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "429",
}
_SAFE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_AGAIN: Final = f"try again; if it lasts, look at the server at {_ENV}ENDPOINT"
_CERTIFICATE: Final = (
    f"set {_ENV}CA_FILE to the certificates of its authority, "
    f"or {_ENV}ENDPOINT to an address that its certificate names"
)


@contextmanager
def typed_errors(bucket: str, endpoint: str) -> Iterator[None]:
    """Turn what the client raises inside the block into errors of this service; none quotes a key or a signature.

    Raises:
        ObjectStoreSettingError: The endpoint refuses what the settings say.
        ObjectStoreError: It does not answer, or not well.
        StorageFullError: It has no space left.
    """
    try:
        yield
    except boto.ClientError as error:
        raise _answered(error, bucket) from error
    except (boto.BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError, ValueError) as error:
        raise _failed(error, endpoint) from error


def _answered(error: boto.ClientError, bucket: str) -> BedplateError:
    """For an answer that says what is wrong."""
    said = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(said.get("Code", ""))
    why = " ".join(filter(None, (str(status), code if _SAFE.fullmatch(code) and code != str(status) else "")))
    if (known := _REFUSALS.get(_ALIASES.get(code, code))) is not None:
        return ObjectStoreSettingError(known[0].format(bucket=bucket), why=why, fix=known[1])
    if code in _FULL:
        return StorageFullError(why)
    if code in _BUSY:
        return ObjectStoreError("the object store is busy", why=why, fix="try again later")
    if status in (301, 307):
        known = _REFUSALS["WrongRegion"]
        return ObjectStoreSettingError(known[0].format(bucket=bucket), why=why, fix=known[1])
    return ObjectStoreError("the object store could not do it", why=why, fix=_AGAIN)


def _failed(error: Exception, endpoint: str) -> BedplateError:
    """For a call that got no answer."""
    where = endpoint or "its endpoint"
    match error:
        case boto.NoCredentialsError() | boto.PartialCredentialsError() | boto.CredentialRetrievalError():
            return ObjectStoreSettingError(
                "there are no credentials for the object store",
                why=type(error).__name__,
                fix=f"set {_KEYS}, or give the process a role or a profile of AWS",
            )
        case boto.SSLError():
            return _untrusted(where)
        case boto.ProxyConnectionError() | boto.InvalidProxiesConfigError():
            return ObjectStoreError("the proxy does not answer", why=type(error).__name__, fix="look at HTTPS_PROXY")
        case boto.ParamValidationError():
            return ObjectStoreSettingError(
                "the bucket has a name that cannot be one", fix=f"set {_ENV}BUCKET to the name of a bucket"
            )
        case boto.EndpointConnectionError() | boto.ConnectTimeoutError():
            return ObjectStoreError(
                f"the object store at {where} cannot be reached",
                why=type(error).__name__,
                fix=f"start it, or set {_ENV}ENDPOINT and {_ENV}REGION to where it is",
            )
        case ResponseParserError():
            known = _REFUSALS["NotS3"]
            return ObjectStoreSettingError(known[0], why=where, fix=known[1])
        case ValueError() if not isinstance(error, OSError):  # the library's answer to an endpoint that is no URL
            return ObjectStoreSettingError(
                "the endpoint is not a URL", fix=f"set {_ENV}ENDPOINT to one, such as https://s3.example.org"
            )
    return _broken_off(error, where)


def _broken_off(error: BaseException, where: str) -> BedplateError:
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, ssl.SSLError | ssl.CertificateError):
            return _untrusted(where)
        chain = chain.__cause__ or chain.__context__
    late = isinstance(error, boto.ReadTimeoutError | asyncio.TimeoutError)
    what = "did not answer in time" if late else "broke the connection off"
    fix = f"{_AGAIN}, or raise {_ENV}READ_TIMEOUT" if late else _AGAIN
    return ObjectStoreError(f"the object store at {where} {what}", why=type(error).__name__, fix=fix)


def _untrusted(where: str) -> BedplateError:
    return ObjectStoreSettingError(
        f"the certificate of {where} is not trusted, or it does not speak TLS", why="TLS", fix=_CERTIFICATE
    )
