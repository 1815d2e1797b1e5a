"""Variables of the operator: environment variables that flows may use by reference, and nobody may read."""

import os
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

__all__ = ["OperatorVariables"]


class OperatorVariables:
    """The allow-listed part of the process environment.

    Args:
        allowed: Names that flows may use; no other is ever looked up.
        environment: Where they are; the process environment by default, read anew each time.
    """

    def __init__(self, allowed: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._allowed = frozenset(allowed)
        self._environment = os.environ if environment is None else environment

    def get(self, name: str) -> SecretStr | None:
        """The value of an allowed name; None if it is not allowed, not set, or empty."""
        value = self._environment.get(name) if name in self._allowed else None
        return SecretStr(value) if value else None

    def all(self) -> Sequence[SecretStr]:
        """The values of all allowed names that are set."""
        return [value for name in self._allowed if (value := self.get(name))]
