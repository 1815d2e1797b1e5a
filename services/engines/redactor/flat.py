"""Copies of small objects of plain values, as most are: what a walk gives, in a fraction of its time."""

import math
from collections.abc import Callable
from typing import Any, Final

from bedplate.services.engines.redactor.names import SecretNames
from bedplate.services.engines.redactor.walk import COST_OF_NODE, Limits, Measured

__all__ = ["FlatCopies"]

_MOST: Final = 32
_LONGEST_NAME: Final = 40
_LONGEST_TEXT: Final = 2048
_SMALL: Final = 100_000
"""Numbers below it have fewer digits than a secret that is looked for."""
_MAX_PLAIN: Final = 4096
_TELLING: Final = frozenset({"key", "name", "password", "value"})
"""Fields by which the others may be secrets."""


class FlatCopies:
    """Makes copies of dictionaries whose keys say nothing of secrets and whose values are plain.

    Args:
        text: Masks secrets in a text.
        names: The names of fields that hold secrets.
    """

    def __init__(self, text: Callable[[str], str], names: SecretNames) -> None:
        self._text = text
        self._names = names
        self._plain: dict[str, int] = {}

    def copy(self, value: dict[Any, Any], version: int, limits: Limits) -> Measured | None:
        """The copy, as a walk would make it; None if this is for a walk.

        Args:
            value: What is to be copied.
            version: Changes when there are further secrets.
            limits: How much is copied.
        """
        if len(value) > min(_MOST, limits.items - 1) or limits.depth < 1 or limits.text is not None:
            return None
        copy: dict[str, Any] = {}
        used = COST_OF_NODE
        # Taken at once: the owner may change it meanwhile, in another thread.
        for name, one in tuple(value.items()):
            if type(name) is not str or (self._plain.get(name) != version and not self._is_plain(name, version)):
                return None
            kind = type(one)
            if kind is str:
                if len(one) > _LONGEST_TEXT or not one.isascii():
                    return None
                one = self._text(one)
                used += len(one)
            elif kind is int:
                if not -_SMALL < one < _SMALL:
                    return None
            elif not (one is None or kind is bool or (kind is float and math.isfinite(one))):
                return None
            used += len(name) + COST_OF_NODE
            copy[name] = one
        return Measured(value=copy, size=used) if limits.size is None or used < limits.size else None

    def _is_plain(self, name: str, version: int) -> bool:
        if len(name) > _LONGEST_NAME or not name.isascii() or name in _TELLING or name in self._names:
            return False
        if self._text(name) != name:
            return False
        if len(self._plain) >= _MAX_PLAIN:
            self._plain = {}
        self._plain[name] = version
        return True
