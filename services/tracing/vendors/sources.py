"""What sets a vendor up: settings of Bedplate, and the variables that the vendor documents."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from bedplate.services.settings.groups.tracing import TracingSettings

__all__ = ["Found", "Sources", "VendorProblem"]

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


class VendorProblem(Exception):  # noqa: N818 - it is handed on as what it says, not raised to callers
    """A vendor is set up in a way that cannot work.

    Attributes:
        what: What is wrong, as a clause without a secret.
        fix: What to do about it.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


class Found(msgspec.Struct, frozen=True):
    """A value, and what it was set by.

    Attributes:
        value: The text; empty: nothing sets it.
        name: The variable that sets it, or the one to set.
    """

    value: str
    name: str

    def __bool__(self) -> bool:
        return bool(self.value)


class Sources:
    """Looks values up: a setting goes before variables, and those in the order in which they are given.

    Reads the environment, and writes nothing to it.

    Args:
        settings: The settings of tracing.
        environment: The environment of the process.

    Attributes:
        set_by_settings: Whether a value that was found came from a setting of Bedplate.
    """

    def __init__(self, settings: TracingSettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = environment if settings.vendor_environment else {}
        self.set_by_settings = False

    def text(self, field: str, *variables: str) -> Found:
        """The value of a setting, else of the first of these variables that is there and not empty."""
        value = getattr(self._settings, field)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        setting = f"BEDPLATE_TRACING__{field.upper()}"
        if text:
            self.set_by_settings = True
            return Found(text.strip(), setting)
        return self.variable(*variables, otherwise=setting)

    def variable(self, *variables: str, otherwise: str = "") -> Found:
        """The first of these variables of the environment that is there and not empty."""
        for name in variables:
            if value := self._environment.get(name, "").strip():
                return Found(value, name)
        return Found("", otherwise or variables[0])

    def says(self, meaning: bool, *variables: str) -> bool:
        """Whether one of these variables is a word for true, or for false."""
        words = _TRUE if meaning else _FALSE
        return any(self._environment.get(name, "").strip().lower() in words for name in variables)

    def url(self, found: Found, default: str = "") -> str:
        """The URL that was found, without a slash at its end.

        Raises:
            VendorProblem: It is none of HTTP.
        """
        if not found:
            return default
        try:
            parts = urlsplit(found.value)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good or any(character.isspace() for character in found.value):
            raise VendorProblem(f"{found.name} is no URL", f"set {found.name} to one such as https://example.org")
        return found.value.rstrip("/")

    @staticmethod
    def header(found: Found) -> str:
        """What was found, fit for a header.

        Raises:
            VendorProblem: It has characters that no header may have.
        """
        if not found.value.isascii() or not found.value.isprintable():
            raise VendorProblem(
                f"{found.name} has a line break or a character that no key has", f"copy {found.name} anew"
            )
        return found.value
