"""What another Bedplate refuses, as the errors that the local catalogue would have raised."""

from collections.abc import Mapping
from typing import NoReturn

from bedplate.services.errors import BedplateError
from bedplate.services.schema import ServiceType
from bedplate.services.store import errors
from bedplate.services.store.remote_exchange import Answer

__all__ = ["raise_refusal"]

_LONGEST = 500
_PREFIX = "urn:bedplate:error:"
_BY_CODE: Mapping[str, type[BedplateError]] = {
    error.code: error
    for error in (
        errors.ComponentNotFoundError,
        errors.DocumentTooLargeError,
        errors.InvalidComponentError,
        errors.StoreDisabledError,
        errors.StoreDocumentError,
        errors.StoreLimitError,
        errors.StoreSecretError,
        errors.VersionExistsError,
        errors.VersionNotFoundError,
        errors.VersionYankedError,
    )
}
_BY_STATUS: Mapping[int, type[BedplateError]] = {
    400: errors.InvalidComponentError,
    403: errors.StoreKeyRefusedError,
    404: errors.ComponentNotFoundError,
    409: errors.StoreLimitError,
    413: errors.DocumentTooLargeError,
    422: errors.InvalidComponentError,
}


def raise_refusal(answer: Answer) -> NoReturn:
    """Raise what an answer with a status of 400 to 499 means, in its own words where it has any.

    Raises:
        BedplateError: One of the store's.
    """
    body = answer.json if isinstance(answer.json, dict) else {}
    code = str(body.get("type", "")).removeprefix(_PREFIX)
    kind = _BY_CODE.get(code) or _BY_STATUS.get(answer.status, errors.InvalidComponentError)
    detail = body.get("detail")
    what = detail[:_LONGEST] if isinstance(detail, str) else f"the remote store refuses this with {answer.status}"
    raise _retold(kind, what)


def _retold(kind: type[BedplateError], what: str) -> BedplateError:
    """An error of a kind in other words than its own constructor would find: those of who raised it first."""
    if kind is errors.StoreKeyRefusedError:
        return errors.StoreKeyRefusedError()
    error = kind.__new__(kind)
    BedplateError.__init__(error, what, service=ServiceType.STORE)
    if isinstance(error, errors.StoreSecretError):
        error.paths = ()
    return error
