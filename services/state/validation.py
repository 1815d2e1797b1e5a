"""What a place and a time to live of a value may be."""

from datetime import timedelta
from typing import Any

from bedplate.services.state.errors import StateKeyError
from bedplate.services.state.models import Scope

__all__ = ["check_place", "checked_ttl"]


def check_place(scope: object, key: object, longest: int) -> None:
    """Raise unless there may be a value under this key of this scope.

    Args:
        scope: The scope.
        key: The key.
        longest: Most bytes of a key.

    Raises:
        StateKeyError: One of them is none.
    """
    if not isinstance(key, str) or not key:
        raise StateKeyError(f"{key!r:.80} is not a key", fix="use a text that is not empty")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise StateKeyError(f"{key!r:.80} is not valid Unicode", fix="encode or hash it first") from None
    if size > longest:
        raise StateKeyError(
            f"a key of {size} bytes is over the limit of {longest}",
            fix="use a shorter one, or raise BEDPLATE_STATE__MAX_KEY_BYTES",
        )
    if type(scope) is not Scope:
        raise StateKeyError(f"{scope!r:.80} is not a scope", fix="make one with Scope.run() and its kin")


def checked_ttl(ttl: Any) -> float:
    """Seconds that a value may live.

    Raises:
        StateKeyError: It is no positive number, and no time.
    """
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if type(seconds) not in (int, float) or not seconds > 0:
        raise StateKeyError(
            f"a value cannot live for {ttl!r:.80} seconds",
            fix="give a positive number, or None for as long as its scope; delete() forgets a value",
        )
    return float(seconds)
