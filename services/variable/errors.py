"""What can go wrong in the variable service.

::

    ConfigurationError
    ├── WrongKeyError                   the secret key is not the one that was used
    └── VariableStoreSettingError       Kubernetes refuses what the settings say
    InvalidInputError
    ├── InvalidVariableError            name, value, type or default fields are wrong   (400)
    └── TooLargeError
        ├── VariableTooLargeError       the value is over the limit                     (413)
        └── VariableStoreFullError      what keeps the variables of a user is full      (413)
    NotFoundError
    └── VariableNotFoundError           no such variable of the user, or version of it  (404)
    ConflictError
    ├── VariableExistsError             the user has one of this name                   (400, as clients expect)
    ├── VariableChangedError            it has another version than the caller thinks   (409, or 412 by If-Match)
    └── TooManyVariablesError           the user has as many as allowed                 (409)
    CorruptDataError
    └── UndecryptableVariableError      the stored value cannot be decrypted            (500)
    PermissionDeniedError
    └── RevealDisabledError             a setting keeps values from being shown         (403)
    UnavailableError
    └── VariableStoreError              Kubernetes does not answer; another try may succeed (503)

None of them carries a value, encrypted or not.
"""

from bedplate.services.errors import (
    ConfigurationError,
    ConflictError,
    CorruptDataError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    TooLargeError,
    UnavailableError,
)
from bedplate.services.schema import ServiceType

__all__ = [
    "InvalidVariableError",
    "RevealDisabledError",
    "TooManyVariablesError",
    "UndecryptableVariableError",
    "VariableChangedError",
    "VariableExistsError",
    "VariableNotFoundError",
    "VariableStoreError",
    "VariableStoreFullError",
    "VariableStoreSettingError",
    "VariableTooLargeError",
    "WrongKeyError",
]


class WrongKeyError(ConfigurationError):
    """The secret key is not the one that the stored variables are encrypted with, or the proof of it is damaged.

    Args:
        what: What was found.
        why: Which keys the database knows, and which one was given.
    """

    code = "variable_wrong_key"

    def __init__(self, what: str, *, why: str) -> None:
        super().__init__(
            what,
            service=ServiceType.VARIABLE,
            why=why,
            fix="put back the secret key from the backup: BEDPLATE_SECRET_KEY, or the file secret_key in the data "
            "directory; if it was changed on purpose, give the one before in BEDPLATE_PREVIOUS_SECRET_KEYS; if it is "
            "lost for good, so are the values: empty the tables bedplate_variable and "
            "bedplate_encryption_key, or delete the Secrets of Bedplate, and let users enter their variables again",
        )


class InvalidVariableError(InvalidInputError):
    """The name, the value, the type or the default fields of a variable are wrong."""

    code = "variable_invalid"

    def __init__(self, what: str, *, fix: str | None = None) -> None:
        super().__init__(what, service=ServiceType.VARIABLE, fix=fix)


class VariableTooLargeError(TooLargeError):
    """The value of a variable is over the limit."""

    code = "variable_too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the value of a variable has {size} bytes; at most {limit} are allowed",
            service=ServiceType.VARIABLE,
            fix="store a file instead, or raise BEDPLATE_VARIABLE__MAX_VALUE_BYTES",
        )


class VariableStoreFullError(TooLargeError):
    """What keeps all variables of a user has no room for another value.

    Args:
        size: Bytes that would be needed.
        limit: Bytes that there are.
    """

    code = "variable_store_full"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the variables of one user would take {size} bytes; a Secret holds at most {limit}",
            service=ServiceType.VARIABLE,
            fix="delete variables, or store a large value as a file; BEDPLATE_VARIABLE__BACKEND=database has no such "
            "limit",
        )


class VariableStoreError(UnavailableError):
    """The API of Kubernetes does not answer, is busy, or broke off; another try may succeed."""

    code = "variable_store"
    retry_after = 5.0

    def __init__(self, what: str, *, why: str | None = None, fix: str) -> None:
        super().__init__(what, service=ServiceType.VARIABLE, why=why, fix=fix)


class VariableStoreSettingError(ConfigurationError):
    """Kubernetes refuses what the settings say: the account, the namespace, the address, or the certificate."""

    code = "variable_store_setting"

    def __init__(self, what: str, *, why: str | None = None, fix: str) -> None:
        super().__init__(what, service=ServiceType.VARIABLE, why=why, fix=fix)


class VariableNotFoundError(NotFoundError):
    """There is no such variable of the user, nor one of the operator's that flows may use.

    Args:
        name: What was asked for, free of secrets.
    """

    code = "variable_not_found"

    def __init__(self, name: object) -> None:
        super().__init__(
            f"variable {str(name)!r} not found",
            service=ServiceType.VARIABLE,
            fix="create it, or correct the name where it is used",
        )


class VariableExistsError(ConflictError):
    """The user has a variable of this name."""

    code = "variable_exists"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"a variable with the name {name!r} exists already",
            service=ServiceType.VARIABLE,
            fix="change that one, or choose another name",
        )


class VariableChangedError(ConflictError):
    """The variable has another version than the one that the change was meant for; nothing was changed."""

    code = "variable_changed"

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(
            f"the variable has version {found}, and the change was meant for {expected}",
            service=ServiceType.VARIABLE,
            fix="look at it again, and send the change with its version of now",
        )


class RevealDisabledError(PermissionDeniedError):
    """The values of credentials are shown to nobody."""

    code = "variable_reveal_disabled"

    def __init__(self) -> None:
        super().__init__(
            "the values of credentials are not shown here",
            service=ServiceType.VARIABLE,
            fix="enter the value again where it is needed, or set BEDPLATE_VARIABLE__REVEAL=true",
        )


class TooManyVariablesError(ConflictError):
    """The user has as many variables as allowed."""

    code = "variable_too_many"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"there are {limit} variables already",
            service=ServiceType.VARIABLE,
            fix="delete one, or raise BEDPLATE_VARIABLE__MAX_PER_USER",
        )


class UndecryptableVariableError(CorruptDataError):
    """The stored value of a variable was changed, belongs elsewhere, or is encrypted with a key that is not here."""

    code = "variable_undecryptable"

    def __init__(self, name: str, *, why: str) -> None:
        super().__init__(
            f"the value of the variable {name!r} cannot be decrypted",
            service=ServiceType.VARIABLE,
            why=why,
            fix="enter the value again; if many are affected, restore the database or the secret key from the backup",
        )
