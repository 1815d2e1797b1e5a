"""Every error that Bedplate raises on purpose, under one tree.

::

    BedplateError
    ├── ConfigurationError        a setting, an extra or the environment is wrong
    │   ├── MissingExtraError     a library of an optional extra is not installed
    │   └── WiringError           injection or the provider graph is wrong
    ├── LifecycleError            services could not be started or stopped
    ├── InvalidInputError         the caller's value is wrong                     (HTTP 400 or 422)
    │   └── TooLargeError         the caller's value is over a limit              (HTTP 413)
    ├── AuthenticationError       who is calling is not known                     (HTTP 401 or 403)
    ├── PermissionDeniedError     who is calling is known and may not             (HTTP 403)
    ├── NotFoundError             not there, or not the caller's                  (HTTP 404)
    ├── ConflictError             it clashes with what is there                   (HTTP 409 or 400)
    ├── RateLimitedError          too often, or too much at once                  (HTTP 429)
    ├── UnavailableError          another system does not answer; try again       (HTTP 503)
    └── CorruptDataError          stored data cannot be read back                 (HTTP 500)

A service's own errors are subclasses in ``services/<name>/errors.py``. Each has a ``code`` that never changes, and no
text ever carries a secret.
"""

from typing import ClassVar

__all__ = [
    "AuthenticationError",
    "BedplateError",
    "ConfigurationError",
    "ConflictError",
    "CorruptDataError",
    "InvalidInputError",
    "LifecycleError",
    "MissingExtraError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitedError",
    "TooLargeError",
    "UnavailableError",
    "WiringError",
    "with_fix",
]


def with_fix(what: str, fix: str | None) -> str:
    """What went wrong, and what to do about it where that is known, as sentences."""
    if not fix:
        return what
    return f"{what}{'' if what.endswith(('.', '!', '?')) else '.'} Fix: {fix}"


class BedplateError(Exception):
    """The root of all errors raised by Bedplate.

    Args:
        what: What went wrong, in one sentence, safe to show to the caller.
        service: The service that raises it, as in :class:`~bedplate.services.schema.ServiceType`.
        why: The cause, for operators; shown in logs and on the terminal.
        fix: What to do about it, as an instruction.

    Attributes:
        code: A stable identifier of the kind of error, such as ``"not_found"``.
    """

    code: ClassVar[str] = "error"

    def __init__(
        self,
        what: str,
        *,
        service: str | None = None,
        why: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.service = service
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        text = f"{self.service}: {self.what}" if self.service else self.what
        if self.why:
            text += f" ({self.why})"
        return with_fix(text, self.fix)


class ConfigurationError(BedplateError):
    """A setting, an extra or the environment is wrong."""

    code = "configuration"


class MissingExtraError(ConfigurationError):
    """A library of an optional extra is not installed.

    Args:
        extra: The extra of the distribution that brings the library.
        module: The module that could not be imported.
        service: The service whose backend needs it.
    """

    code = "missing_extra"

    def __init__(self, extra: str, *, module: str, service: str | None = None) -> None:
        super().__init__(
            f"the module {module!r} is not installed",
            service=service,
            fix=f"pip install 'bedplate[{extra}]'",
        )
        self.extra = extra
        self.module = module


class WiringError(ConfigurationError):
    """Injection or the provider graph is wrong."""

    code = "wiring"


class LifecycleError(BedplateError):
    """Services could not be started or stopped."""

    code = "lifecycle"


class InvalidInputError(BedplateError):
    """The caller's value is wrong."""

    code = "invalid_input"


class TooLargeError(InvalidInputError):
    """The caller's value is over a limit."""

    code = "too_large"


class AuthenticationError(BedplateError):
    """Who is calling is not known."""

    code = "authentication"


class PermissionDeniedError(BedplateError):
    """Who is calling is known and may not do this."""

    code = "permission_denied"


class NotFoundError(BedplateError):
    """The object is not there, or belongs to somebody else: the two read the same."""

    code = "not_found"


class ConflictError(BedplateError):
    """The request clashes with what is there."""

    code = "conflict"


class RateLimitedError(BedplateError):
    """Too often, or too much at once.

    Args:
        what: As in :class:`BedplateError`.
        retry_after: Seconds after which another try makes sense, if known.
        service: As in :class:`BedplateError`.
        fix: As in :class:`BedplateError`.
    """

    code = "rate_limited"

    def __init__(
        self,
        what: str,
        *,
        retry_after: float | None = None,
        service: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what, service=service, fix=fix)
        self.retry_after = retry_after


class UnavailableError(BedplateError):
    """Another system, or a service that is not running, does not answer; another try may succeed.

    Attributes:
        retry_after: Seconds after which another try makes sense; None where nobody knows.
    """

    code = "unavailable"
    retry_after: float | None = None


class CorruptDataError(BedplateError):
    """Stored data cannot be read back."""

    code = "corrupt_data"
