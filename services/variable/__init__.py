"""The variable service: values and credentials of users, encrypted, for their flows to use by name."""

from bedplate.services.variable.errors import (
    InvalidVariableError,
    TooManyVariablesError,
    UndecryptableVariableError,
    VariableExistsError,
    VariableNotFoundError,
    VariableTooLargeError,
    WrongKeyError,
)
from bedplate.services.variable.models import Variable, VariableType
from bedplate.services.variable.service import VariableService

__all__ = [
    "InvalidVariableError",
    "TooManyVariablesError",
    "UndecryptableVariableError",
    "Variable",
    "VariableExistsError",
    "VariableNotFoundError",
    "VariableService",
    "VariableTooLargeError",
    "VariableType",
    "WrongKeyError",
]
