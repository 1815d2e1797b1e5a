"""How a service comes by its backend: declared in its ``factory.py``, chosen by one setting, imported when chosen."""

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, ParamSpec, Protocol, TypeVar

import msgspec

from bedplate.services.errors import ConfigurationError, MissingExtraError
from bedplate.services.schema import ServiceType

__all__ = ["Backend", "Choice", "ServiceFactory", "service_factory"]

P = ParamSpec("P")
S = TypeVar("S")

_REACH: Mapping[str, Literal["process", "machine", "all"]] = {
    "memory": "process",
    "disk": "machine",
    "local": "machine",
    "sqlite": "machine",
}


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a service can work.

    Attributes:
        name: What the setting ``BEDPLATE_<SERVICE>__BACKEND`` calls it.
        target: Where its class is, as ``"package.module:Class"``; imported only when chosen.
        extra: The extra that brings its libraries, or None for an embedded one.
        needs: The engines of the container that it uses, by attribute name.
        reach: Who shares what it keeps: the tasks of one process, the processes of one machine, or all replicas; left
            out: what the name suggests.
    """

    name: str
    target: str
    extra: str | None = None
    needs: tuple[str, ...] = ()
    reach: Literal["process", "machine", "all"] | None = None

    @property
    def shared_by(self) -> Literal["process", "machine", "all"]:
        """Who shares what it keeps."""
        return self.reach or _REACH.get(self.name, "all")

    def load(self, service: ServiceType) -> Any:
        """Import and return the class.

        Raises:
            MissingExtraError: A library of its extra is not installed.
        """
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if self.extra is None or (error.name or "").startswith(__package__.partition(".")[0]):
                raise  # no library is missing, but a module of ours
            raise MissingExtraError(self.extra, module=error.name or module, service=service) from error


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which backend was chosen, and by what.

    Attributes:
        backend: The chosen backend.
        origin: Where the setting came from, such as ``"default"`` or ``"environment BEDPLATE_CACHE__BACKEND"``.
    """

    backend: Backend
    origin: str


class _SettingsLike(Protocol):
    def backend_of(self, service: ServiceType) -> tuple[str, str]:
        """The name of the configured backend and the origin of that setting."""
        ...


class ServiceFactory(Generic[P, S]):
    """A function that builds a service, with the declaration of the backends that it can choose from."""

    def __init__(self, build: Callable[P, S], service: ServiceType, backends: tuple[Backend, ...]) -> None:
        self.build = build
        self.service = service
        self.backends = {backend.name: backend for backend in backends}
        functools.update_wrapper(self, build)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> S:
        """Build the service."""
        return self.build(*args, **kwargs)

    def choose(self, settings: _SettingsLike) -> Choice:
        """Return the configured backend.

        Raises:
            ConfigurationError: The setting names none of the declared backends.
        """
        name, origin = settings.backend_of(self.service)
        if name not in self.backends:
            raise ConfigurationError(
                f"{name!r} is not a backend of this service",
                service=self.service,
                why=f"set by {origin}",
                fix=f"set BEDPLATE_{self.service.upper()}__BACKEND to one of {', '.join(self.backends)}",
            )
        return Choice(backend=self.backends[name], origin=origin)


def service_factory(service: ServiceType, *backends: Backend) -> Callable[[Callable[P, S]], ServiceFactory[P, S]]:
    """Declare the backends of the service that the decorated function builds."""

    def decorate(build: Callable[P, S]) -> ServiceFactory[P, S]:
        return ServiceFactory(build, service, backends)

    return decorate
