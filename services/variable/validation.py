"""What names, values and default fields of variables may be."""

import unicodedata
from collections.abc import Sequence

from pydantic import SecretStr

from bedplate.services.variable.errors import InvalidVariableError, VariableTooLargeError
from bedplate.services.variable.models import VariableType

__all__ = ["checked_fields", "checked_name", "checked_type", "checked_value"]

MAX_NAME = 255
MAX_FIELDS = 100

_REFUSED = {"Cc": "a control character", "Cs": "half a character", "Zl": "a line separator", "Zp": "a line separator"}


def checked_name(name: str) -> str:
    """Return the name as it is: any printable text of 1 to 255 characters.

    Raises:
        InvalidVariableError: It is something else, or begins or ends with white space.
    """
    return _checked_text(name, "the name of a variable")


def checked_fields(fields: Sequence[str]) -> tuple[str, ...]:
    """Return the names of fields: at most 100, without repetitions, each as a name of a variable may be.

    Raises:
        InvalidVariableError: They are something else.
    """
    if isinstance(fields, str) or len(fields) > MAX_FIELDS:
        raise InvalidVariableError(f"default fields are a list of at most {MAX_FIELDS} names")
    return tuple(dict.fromkeys(_checked_text(field, "a default field of a variable") for field in fields))


def checked_type(type_: str) -> VariableType:
    """Return the type of this name, whatever its case.

    Raises:
        InvalidVariableError: There is none.
    """
    try:
        return VariableType(type_)
    except ValueError:
        raise InvalidVariableError(
            "the type of a variable is Credential or Generic", fix="use one of the two"
        ) from None


def checked_value(value: str | SecretStr, limit: int) -> SecretStr:
    """Return the value.

    Raises:
        InvalidVariableError: It is empty, or not valid Unicode.
        VariableTooLargeError: It has more than ``limit`` bytes in UTF-8.
    """
    secret = value if isinstance(value, SecretStr) else SecretStr(value)
    if not secret:
        raise InvalidVariableError("the value of a variable cannot be empty", fix="give a value, or leave it out")
    try:
        size = len(secret.get_secret_value().encode())
    except UnicodeEncodeError:
        raise InvalidVariableError("the value of a variable is not valid Unicode") from None
    if size > limit:
        raise VariableTooLargeError(size, limit)
    return secret


def _checked_text(text: str, what: str) -> str:
    if not text:
        raise InvalidVariableError(f"{what} cannot be empty")
    if len(text) > MAX_NAME:
        raise InvalidVariableError(f"{what} has at most {MAX_NAME} characters; this one has {len(text)}")
    if text != text.strip():
        raise InvalidVariableError(f"{what} cannot begin or end with white space", fix="remove it")
    for character in text:
        if refused := _REFUSED.get(unicodedata.category(character)):
            raise InvalidVariableError(f"{what} cannot hold {refused}", fix="remove it")
    return text
