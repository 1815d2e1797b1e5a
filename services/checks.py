"""What will go wrong, found before it does: services declare checks, ``bedplate doctor`` and every start run them.

A check looks at settings and surroundings, changes nothing, and yields what troubles it::

    @check("auth.cookie-not-secure", Severity.ERROR, "Session cookies travel over HTTPS only")
    def cookie_not_secure(auth: AuthService, around: Surroundings) -> Iterator[Trouble]:
        if around.public and not around.values.auth.cookie_secure:
            yield Trouble("cookies are sent over plain HTTP", fix="set BEDPLATE_AUTH__COOKIE_SECURE=true")

and a service contributes it by naming it in its class::

    class AuthService(Service):
        checks = (cookie_not_secure,)

The service may be built and not started: ``around.started`` tells. Plain functions run in a thread, and may look at
files; coroutine functions run on the event loop.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from bedplate.services.backends import Backend
    from bedplate.services.settings import Settings, SettingsService

__all__ = ["Check", "Finding", "Look", "Severity", "Surroundings", "Trouble", "check", "is_public"]


class Severity(StrEnum):
    """How bad it is: an error is unsafe or does not work, a warning will be regretted, a note is for information."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Trouble(msgspec.Struct, frozen=True):
    """What a check found; neither text carries a secret.

    Attributes:
        what: What is wrong, as a clause: it follows the id of the check.
        fix: What to do about it, as an instruction.
        severity: How bad this one is, where it differs from the check's.
    """

    what: str
    fix: str
    severity: Severity | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A trouble, with where it comes from.

    Attributes:
        check: The id of the check, such as ``"auth.cookie-not-secure"``.
        severity: How bad it is.
        what: What is wrong.
        fix: What to do about it.
    """

    check: str
    severity: Severity
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.severity} {self.check}: {self.what}. Fix: {self.fix}"


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What checks may look at beside their service.

    Attributes:
        settings: The settings of the container.
        environment: The environment of the process.
        backends: The chosen backends by the name of their service.
        started: Whether the services are started.
    """

    settings: "SettingsService"
    environment: Mapping[str, str]
    backends: "Mapping[str, Backend]"
    started: bool

    @property
    def values(self) -> "Settings":
        """The values of the settings."""
        return self.settings.values

    @property
    def public(self) -> bool:
        """Whether the server listens for other machines."""
        return is_public(self.settings.values.server.host)


Look = Callable[[Any, Surroundings], Iterable[Trouble] | Awaitable[Iterable[Trouble]]]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look at.

    Attributes:
        id: Its stable name: the service, a dot, and what is wrong in a few words.
        severity: How bad it usually is.
        about: What should be the case, in one sentence.
        look: Looks at a service and its surroundings.
    """

    id: str
    severity: Severity
    about: str
    look: Look


def check(id_: str, severity: Severity, about: str) -> Callable[[Look], Check]:
    """Make a check of the function below; see :class:`Check`."""
    return lambda look: Check(id=id_, severity=severity, about=about, look=look)


def is_public(host: str) -> bool:
    """Whether an address to listen on can be reached from other machines."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
