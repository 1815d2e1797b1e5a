"""Errors of the state service.

::

    InvalidInputError
    ├── StateKeyError              a key, scope or time to live is not a possible one
    ├── StateValueError            a value of this type would not come back as it was
    └── TooLargeError
        └── StateValueTooLargeError
    ConflictError
    └── StateConflictError         the value has another version than the one expected
    RateLimitedError
    └── StateFullError             a limit of values, bytes or subscriptions is reached
    NotFoundError
    └── StateClosedError           the run has ended, and its state with it
"""

from bedplate.services.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    TooLargeError,
)
from bedplate.services.schema import ServiceType

__all__ = [
    "StateClosedError",
    "StateConflictError",
    "StateFullError",
    "StateKeyError",
    "StateValueError",
    "StateValueTooLargeError",
]


class StateKeyError(InvalidInputError):
    """A key, a scope or a time to live is not a possible one."""

    code = "state_key"

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, service=ServiceType.STATE, fix=fix)


class StateValueError(InvalidInputError):
    """A value would not come back equal and of the same type.

    Args:
        kind: The type of the part of the value that cannot be kept.
        path: Where in the value that part stands, such as ``value['tools'][0]``.
        why: The reason, if it is not that the type is unknown.
    """

    code = "state_value"

    def __init__(self, kind: str, path: str, *, why: str | None = None) -> None:
        super().__init__(
            f"a value of type {kind} cannot be kept; it stands at {path:.200}",
            service=ServiceType.STATE,
            why=why,
            fix="keep plain data instead: texts, numbers, lists, dictionaries, bytes, times, UUIDs",
        )
        self.kind = kind
        self.path = path


class StateValueTooLargeError(TooLargeError):
    """An encoded value is over the limit."""

    code = "state_value_too_large"

    def __init__(self, key: str, size: int, limit: int) -> None:
        super().__init__(
            f"the value of {key!r:.80} takes {size} bytes, and the limit is {limit}",
            service=ServiceType.STATE,
            fix="keep less, or raise BEDPLATE_STATE__MAX_VALUE_BYTES",
        )
        self.setting = "max_value_bytes"


class StateConflictError(ConflictError):
    """The value has another version than the one expected.

    Attributes:
        expected: The version that the caller expected; 0 for none.
        current: The version that there is; 0 for none.
    """

    code = "state_conflict"

    def __init__(self, key: str, expected: int, current: int) -> None:
        super().__init__(
            f"the value of {key!r:.80} has version {current}, not {expected}",
            service=ServiceType.STATE,
            fix="read it again, and decide anew",
        )
        self.expected = expected
        self.current = current


class StateFullError(RateLimitedError):
    """A limit of values, bytes or subscriptions is reached.

    Args:
        what: What there is too much of, such as ``"values in this run"``.
        limit: How much there may be.
        setting: The setting that says so.
    """

    code = "state_full"

    def __init__(self, what: str, limit: int, setting: str) -> None:
        super().__init__(
            f"no more than {limit} {what} are possible",
            service=ServiceType.STATE,
            fix=f"delete what is not needed any more, or raise BEDPLATE_STATE__{setting.upper()}",
        )
        self.setting = setting


class StateClosedError(NotFoundError):
    """The run has ended, and its state with it."""

    code = "state_closed"

    def __init__(self) -> None:
        super().__init__(
            "the run has ended, and its state with it",
            service=ServiceType.STATE,
            fix="keep what outlives a run in the scope of its session or user",
        )
