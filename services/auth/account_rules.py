"""What a user name and a profile may be, and how a row of a user becomes a user."""

import unicodedata
from typing import Any

import orjson

from bedplate.services.auth.errors import InvalidUsernameError
from bedplate.services.auth.models import User
from bedplate.services.errors import InvalidInputError, TooLargeError
from bedplate.services.schema import ServiceType

__all__ = ["check_optins", "check_text", "check_username", "to_user", "username_key"]

MAX_OPTINS = 16_384
_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}


def username_key(username: str) -> str:
    """What two names that count as one have in common: compatibility form (NFKC), without case."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


def check_username(username: str, longest: int) -> None:
    """Raise unless the name may be used.

    Args:
        username: The name.
        longest: Most characters of a name.

    Raises:
        InvalidUsernameError: It is empty or too long, begins or ends with a space, or has characters that do not show.
    """
    if len(username) > longest:
        raise InvalidUsernameError(f"The username must not be longer than {longest} characters")
    if not username.strip():
        raise InvalidUsernameError("The username must not be empty")
    if username != username.strip():
        raise InvalidUsernameError("The username must not begin or end with a space")
    if any(unicodedata.category(character) in _INVISIBLE for character in username):
        raise InvalidUsernameError("The username must consist of visible characters")


def check_text(what: str, text: str | None, longest: int) -> None:
    """Raise unless every database can store the text.

    Args:
        what: What it is, for the error: "The name".
        text: The text; None will do.
        longest: Most characters of it.

    Raises:
        TooLargeError: It is too long.
        InvalidInputError: It has a NUL or half a surrogate pair.
    """
    if text is None:
        return
    if len(text) > longest:
        raise TooLargeError(f"{what} must not be longer than {longest} characters", service=ServiceType.AUTH)
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInputError(f"{what} has characters that cannot be stored", service=ServiceType.AUTH)


def check_optins(optins: dict[str, Any] | None) -> None:
    """Raise unless the opt-ins are JSON of a reasonable size.

    Raises:
        TooLargeError: They are larger than 16 KiB.
        InvalidInputError: They are no JSON.
    """
    try:
        size = len(orjson.dumps(optins))
    except TypeError:
        raise InvalidInputError("The opt-ins must be JSON", service=ServiceType.AUTH) from None
    if size > MAX_OPTINS:
        raise TooLargeError(f"The opt-ins must not be larger than {MAX_OPTINS} bytes", service=ServiceType.AUTH)


def to_user(row: Any) -> User:
    """A user from a row with the public columns."""
    return User(
        id=row.id,
        username=row.username,
        profile_image=row.profile_image,
        is_active=row.is_active,
        is_superuser=row.is_superuser,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_login_at=row.last_login_at,
        optins=row.optins,
    )
