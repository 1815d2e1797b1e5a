"""What a user name and a profile may be, and how a row of a user becomes a user."""

import unicodedata
from typing import Any

import orjson

from bedplate.services.auth.errors import InvalidUsernameError
from bedplate.services.auth.models import User
from bedplate.services.errors import TooLargeError
from bedplate.services.schema import ServiceType

__all__ = ["check_profile", "check_username", "to_user", "username_key"]

MAX_PROFILE_IMAGE = 2048
MAX_OPTINS = 16_384


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
    if not username_key(username).strip():
        raise InvalidUsernameError("The username must not be empty")
    if len(username) > longest:
        raise InvalidUsernameError(f"The username must not be longer than {longest} characters")
    if username != username.strip():
        raise InvalidUsernameError("The username must not begin or end with a space")
    if any(unicodedata.category(character).startswith("C") for character in username):
        raise InvalidUsernameError("The username must consist of visible characters")


def check_profile(profile_image: str | None, optins: dict[str, Any] | None) -> None:
    """Raise unless what a user keeps in the account is of a reasonable size.

    Raises:
        TooLargeError: It is not.
    """
    if profile_image is not None and len(profile_image) > MAX_PROFILE_IMAGE:
        raise TooLargeError(
            f"The profile image must not be longer than {MAX_PROFILE_IMAGE} characters", service=ServiceType.AUTH
        )
    if optins is not None and len(orjson.dumps(optins)) > MAX_OPTINS:
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
