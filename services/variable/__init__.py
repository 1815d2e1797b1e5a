"""The variable service: values and credentials of users, encrypted, for their flows to use by name."""

from bedplate.services.variable.errors import (
    InvalidVariableError,
    RevealDisabledError,
    TooManyVariablesError,
    UndecryptableVariableError,
    VariableChangedError,
    VariableExistsError,
    VariableNotFoundError,
    VariableStoreError,
    VariableStoreFullError,
    VariableStoreSettingError,
    VariableTooLargeError,
    WrongKeyError,
)
from bedplate.services.variable.models import Revealed, Rotation, Variable, VariableType, VariableVersion
from bedplate.services.variable.service import VariableService

__all__ = [
    "InvalidVariableError",
    "RevealDisabledError",
    "Revealed",
    "Rotation",
    "TooManyVariablesError",
    "UndecryptableVariableError",
    "Variable",
    "VariableChangedError",
    "VariableExistsError",
    "VariableNotFoundError",
    "VariableService",
    "VariableStoreError",
    "VariableStoreFullError",
    "VariableStoreSettingError",
    "VariableTooLargeError",
    "VariableType",
    "VariableVersion",
    "WrongKeyError",
]
