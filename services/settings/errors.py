"""What is wrong with the settings of a start, all of it at once."""

from collections.abc import Sequence

import msgspec

from bedplate.services.errors import ConfigurationError
from bedplate.services.schema import ServiceType

__all__ = ["Problem", "SettingsError"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong; it never carries the value.

    Attributes:
        key: The setting, such as ``"cache.max_entries"``, as far as it is known.
        origin: Where it was read, such as ``"environment BEDPLATE_CACHE__MAX_ENTRIES"``.
        shape: What kind of value was found, such as ``"text of 5 characters"``.
        what: What is wrong with it.
        fix: What to do about it.
    """

    key: str
    origin: str
    shape: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.key} [{self.origin}, {self.shape}]: {self.what}. Fix: {self.fix}"


class SettingsError(ConfigurationError):
    """Settings are wrong; nothing was started.

    Args:
        problems: Everything that is wrong, in the order of the sources.

    Attributes:
        problems: The same.
    """

    code = "settings"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__(
            "1 setting is wrong" if count == 1 else f"{count} settings are wrong",
            service=ServiceType.SETTINGS,
            why="\n".join(str(problem) for problem in self.problems),
            fix="correct what is listed and start again; `bedplate settings show` lists every setting",
        )

    def __str__(self) -> str:
        return "\n  - ".join([f"{self.service}: {self.what}", *map(str, self.problems)])
