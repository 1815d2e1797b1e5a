"""The errors of containers, injection and lifecycle."""

import re
from collections.abc import Mapping

from bedplate.services.errors import BedplateError, LifecycleError, WiringError

__all__ = [
    "AlreadyWiredError",
    "CycleError",
    "InjectionError",
    "NotWiredError",
    "StartError",
    "StepTimeoutError",
    "StopError",
    "UnknownServiceError",
    "hide_credentials",
    "reason",
]


class InjectionError(WiringError, TypeError):
    """``@inject`` cannot be applied to this function: it has no marker, or one that is not supported."""

    code = "injection"


class UnknownServiceError(WiringError):
    """A marker, a plan or a backend's declaration names a service that the container does not have."""

    code = "unknown_service"


class NotWiredError(WiringError):
    """An injected function was called, or a service asked for, while no container provides it."""

    code = "not_wired"


class AlreadyWiredError(WiringError):
    """Another running container is wired to the same modules; wiring is global to the process."""

    code = "already_wired"


class CycleError(WiringError):
    """Providers need each other in a circle.

    Attributes:
        chain: The names on the circle; the first is repeated at the end.
    """

    code = "provider_cycle"

    def __init__(self, chain: tuple[str, ...]) -> None:
        super().__init__(
            f"services need each other in a circle: {' -> '.join(chain)}",
            fix="pass one of them as a provider (name.provider) and call it when it is used, or split the service",
        )
        self.chain = chain


class StepTimeoutError(LifecycleError, TimeoutError):
    """A service did not start or stop within its time."""

    code = "lifecycle_timeout"


class _FailuresError(LifecycleError):
    """Several services failed; ``failures`` holds the error of each by name, ``exceptions`` the errors alone."""

    verb = ""

    def __init__(self, failures: Mapping[str, BaseException], reasons: Mapping[str, str]) -> None:
        listed = "; ".join(f"{name}: {reasons[name]}" for name in failures)
        super().__init__(f"could not {self.verb} {len(failures)} service{'s'[: len(failures) != 1]}: {listed}")
        self.failures = dict(failures)
        errors = [error for error in failures.values() if isinstance(error, Exception)]
        self.__cause__ = errors[0] if len(errors) == 1 else ExceptionGroup(self.what, errors) if errors else None

    @property
    def exceptions(self) -> tuple[BaseException, ...]:
        """The errors, in the order in which they came."""
        return tuple(self.failures.values())


class StartError(_FailuresError):
    """Services could not be started; what had been started is stopped again.

    Attributes:
        failures: The error of each service that failed, by name.
        rollback: The error of each service that could not be stopped again, by name.
    """

    code = "start"
    verb = "start"

    def __init__(
        self,
        failures: Mapping[str, BaseException],
        reasons: Mapping[str, str],
        rollback: Mapping[str, BaseException],
    ) -> None:
        super().__init__(failures, reasons)
        self.rollback = dict(rollback)
        if rollback:
            self.why = f"while undoing it, these could not be stopped: {', '.join(rollback)}"


class StopError(_FailuresError):
    """Services could not be stopped cleanly; all the others are stopped.

    Attributes:
        failures: The error of each service that failed, by name.
    """

    code = "stop"
    verb = "stop"


def reason(error: BaseException) -> str:
    """One line on an error: the text of one of ours, type and text of a foreign one."""
    if isinstance(error, BedplateError):
        return str(error)
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def hide_credentials(text: str) -> str:
    """The text with what stands between ``//`` and ``@`` in every address masked."""
    return re.sub(r"(?<=://)[^\s/@]+(?=@)", "***", text)
