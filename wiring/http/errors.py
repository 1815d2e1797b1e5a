"""How errors become answers: one shape, statuses by kind, nothing that an outsider should not see.

The body is the ``detail`` that existing clients read, beside the members of RFC 9457 (problem details): ``type``,
``title``, ``status`` and ``instance``.
"""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from bedplate.services import errors
from bedplate.services.auth.errors import ApiKeyNotFoundError, AuthError, UsernameTakenError
from bedplate.services.database.errors import DatabaseFullError
from bedplate.services.logs import get_logger
from bedplate.services.storage import FileChangedError, FileRangeError, StorageFullError
from bedplate.services.store import UnreadableStoreKeyError
from bedplate.services.variable.errors import VariableChangedError, VariableExistsError
from bedplate.wiring.execution import FlowRunError

__all__ = ["install_error_handlers", "problem", "status_of", "status_of_class_names", "title_of"]

_log = get_logger("bedplate.http")

_STATUSES: Mapping[type[errors.BedplateError], int] = {
    errors.TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.InvalidInputError: HTTPStatus.BAD_REQUEST,
    errors.AuthenticationError: HTTPStatus.UNAUTHORIZED,
    errors.PermissionDeniedError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    # What existing clients expect instead:
    ApiKeyNotFoundError: HTTPStatus.BAD_REQUEST,
    UsernameTakenError: HTTPStatus.BAD_REQUEST,
    VariableExistsError: HTTPStatus.BAD_REQUEST,
    # Whoever it belongs to can put it right.
    UnreadableStoreKeyError: HTTPStatus.CONFLICT,
    # Over HTTP, the version that is expected comes with If-Match.
    VariableChangedError: HTTPStatus.PRECONDITION_FAILED,
    # A disk that is full stays so for a while, other than a service that does not answer.
    DatabaseFullError: HTTPStatus.INSUFFICIENT_STORAGE,
    StorageFullError: HTTPStatus.INSUFFICIENT_STORAGE,
    FileChangedError: HTTPStatus.PRECONDITION_FAILED,
    FileRangeError: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
}
_RUN_STATUSES: Mapping[str, int] = {
    "llm_unreachable": HTTPStatus.SERVICE_UNAVAILABLE,
    "llm_server_error": HTTPStatus.SERVICE_UNAVAILABLE,
    "llm_rate_limited": HTTPStatus.SERVICE_UNAVAILABLE,
    "llm_interrupted": HTTPStatus.BAD_GATEWAY,
    "llm_malformed": HTTPStatus.BAD_GATEWAY,
    "llm_timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "interrupted": HTTPStatus.SERVICE_UNAVAILABLE,
    "cancelled": HTTPStatus.CONFLICT,
}
"""Statuses of runs that came to no result by the reason; any other reason lies in the flow, or in what it was given."""

_TITLES: Mapping[int, str] = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""What RFC 9110 calls statuses that :mod:`http` called otherwise before Python 3.13."""
_RETRY_AFTER = "1"


def title_of(status: int) -> str:
    """What RFC 9110 calls an HTTP status, the same on every Python; one that it does not know reads as its class."""
    try:
        return _TITLES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return HTTPStatus(status // 100 * 100).phrase  # RFC 9110, section 15


def problem(
    path: str,
    status: int,
    detail: str | Sequence[Mapping[str, Any]],
    *,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error answer in the one shape.

    Args:
        path: Path of the request that is answered.
        status: HTTP status.
        detail: What went wrong: a sentence, or for a 422 the list of what is invalid.
        code: The stable code of the error; None for a plain HTTP error.
        headers: Headers to add.
    """
    body = {
        "detail": detail,
        "type": f"urn:bedplate:error:{code}" if code else "about:blank",
        "title": title_of(status),
        "status": status,
        "instance": path,
    }
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


def status_of(error: errors.BedplateError) -> int:
    """The HTTP status of an error, by the nearest of its classes that has one; 500 for what is the server's fault."""
    if isinstance(error, AuthError) and not error.challenge:
        return HTTPStatus.FORBIDDEN
    if isinstance(error, FlowRunError):
        return _RUN_STATUSES.get(error.reason, HTTPStatus.BAD_REQUEST)
    return next((_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES), 500)


def status_of_class_names(lineage: Sequence[str], *, challenge: bool | None) -> int:
    """The same as :func:`status_of` of a class, from the names of it and of those above it, nearest first.

    Args:
        lineage: The names.
        challenge: Whether an error of authentication asks for credentials.
    """
    if AuthError.__name__ in lineage and challenge is False:
        return HTTPStatus.FORBIDDEN
    named = {kind.__name__: status for kind, status in _STATUSES.items()}
    return next((named[name] for name in lineage if name in named), 500)


async def _bedplate_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.BedplateError)  # noqa: S101 - registered for this class alone
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = _RETRY_AFTER
    if isinstance(error, errors.RateLimitedError | errors.UnavailableError) and error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    detail = error.what
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request failed", path=request.url.path, code=error.code, error=str(error))
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            detail = "Internal server error"
    return problem(request.url.path, status, detail, code=error.code, headers=headers)


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    return problem(request.url.path, error.status_code, error.detail, headers=error.headers)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    # What was sent may be a password, so the value itself is never repeated.
    detail = [{"type": item["type"], "loc": list(item["loc"]), "msg": item["msg"]} for item in error.errors()]
    return problem(request.url.path, HTTPStatus.UNPROCESSABLE_ENTITY, detail, code="validation")


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("request failed unexpectedly", path=request.url.path, exc_info=error)
    return problem(request.url.path, HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of ``app`` in the one shape."""
    app.add_exception_handler(errors.BedplateError, _bedplate_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(Exception, _unexpected)
