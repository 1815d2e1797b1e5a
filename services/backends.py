"""How a service comes by its backend: declared in its ``factory.py``, chosen by one setting, imported when chosen.

A distribution may bring further backends for any service, by entry point::

    [project.entry-points."bedplate.backends"]
    "cache.memcached" = "my_distribution:MEMCACHED"

where ``MEMCACHED = Backend(name="memcached", target="my_distribution.memcached:Memcached")``. It is looked for only
when the setting names it, and one that nobody chooses can harm nobody.
"""

import functools
import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, Literal, ParamSpec, Protocol, TypeVar

import msgspec

from bedplate.services.errors import ConfigurationError, MissingExtraError
from bedplate.services.schema import ServiceType

__all__ = ["GROUP", "Backend", "BackendPluginError", "Choice", "Need", "ServiceFactory", "service_factory"]

GROUP = "bedplate.backends"
"""The group of the entry points of backends that other distributions bring."""

P = ParamSpec("P")
S = TypeVar("S")

_REACH: Mapping[str, Literal["process", "machine", "all"]] = {
    "memory": "process",
    "disk": "machine",
    "local": "machine",
    "sqlite": "machine",
}


class BackendPluginError(ConfigurationError):
    """A backend of another distribution was chosen, and cannot be used."""

    code = "backend_plugin"


class Need(msgspec.Struct, frozen=True):
    """An engine that a backend uses if another setting of its service says so.

    Attributes:
        engine: The engine, by attribute name.
        setting: The setting, by its name in the group of the service.
        value: The value with which it is needed.
    """

    engine: str
    setting: str
    value: object


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a service can work.

    Attributes:
        name: What the setting ``BEDPLATE_<SERVICE>__BACKEND`` calls it.
        target: Where its class is, as ``"package.module:Class"``; imported only when chosen.
        extra: The extra that brings its libraries, or None for an embedded one.
        needs: The engines of the container that it uses, by attribute name.
        may_need: Those that it uses if further settings say so.
        requires: The settings that it cannot do without, such as ``"storage.s3_bucket"``; of several in a tuple, one.
        reach: Who shares what it keeps: the tasks of one process, the processes of one machine, or all replicas; left
            out: what the name suggests.
    """

    name: str
    target: str
    extra: str | None = None
    needs: tuple[str, ...] = ()
    may_need: tuple[Need, ...] = ()
    requires: tuple[str | tuple[str, ...], ...] = ()
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
        origin: Where the setting came from, such as ``"default"`` or ``"environment BEDPLATE_CACHE__BACKEND"``, and
            which distribution brought the backend if it was not Bedplate.
        service: The service that it is for.
        distribution: The distribution that brought it; None: Bedplate.
        asked: The engines that it needs because further settings say so.
    """

    backend: Backend
    origin: str
    service: ServiceType
    distribution: str | None = None
    asked: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The engines of the container that it uses with these settings, by attribute name."""
        return (*self.backend.needs, *self.asked)

    def make(self, *args: Any, **engines: Any) -> Any:
        """Make the backend: ``Class.from_settings(*args, **engines)`` with those of the engines that it needs.

        Raises:
            MissingExtraError: A library of its extra is not installed.
            BackendPluginError: It is of another distribution, and cannot be imported or made.
        """
        try:
            cls = self.backend.load(self.service)
            return cls.from_settings(*args, **{need: engines[need] for need in self.needs if need in engines})
        except Exception as error:
            if self.distribution is None or isinstance(error, MissingExtraError):
                raise
            raise _broken(self.service, self.backend.name, self.distribution, error) from error


class _SettingsLike(Protocol):
    def backend_of(self, service: ServiceType) -> tuple[str, str]:
        """The name of the configured backend and the origin of that setting."""
        ...


class ServiceFactory(Generic[P, S]):
    """A function that builds a service, with the declaration of the backends that it can choose from."""

    def __init__(
        self,
        build: Callable[P, S],
        service: ServiceType,
        backends: tuple[Backend, ...],
        beside: tuple[str, ...] = (),
    ) -> None:
        self.build = build
        self.service = service
        self.backends = {backend.name: backend for backend in backends}
        self.beside = beside
        functools.update_wrapper(self, build)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> S:
        """Build the service."""
        return self.build(*args, **kwargs)

    def choose(self, settings: _SettingsLike) -> Choice:
        """Return the configured backend.

        Raises:
            ConfigurationError: The setting names neither a declared backend nor an installed one.
            BackendPluginError: It names one of another distribution, whose declaration cannot be read.
        """
        name, origin = settings.backend_of(self.service)
        if name in self.backends:
            backend = self.backends[name]
            group = getattr(getattr(settings, "values", None), self.service, None)
            asked = (need.engine for need in backend.may_need if getattr(group, need.setting, None) == need.value)
            return Choice(backend=backend, origin=origin, service=self.service, asked=tuple(asked))
        installed = _installed(self.service)
        if name not in installed:
            raise ConfigurationError(
                f"{name!r} is not a backend of this service",
                service=self.service,
                why=f"set by {origin}",
                fix=f"set BEDPLATE_{self.service.upper()}__BACKEND to one of {', '.join((*self.backends, *installed))}",
            )
        backend, distribution = _declared(self.service, name, installed[name])
        origin = f"{origin}, brought by {distribution}"
        return Choice(backend=backend, origin=origin, service=self.service, distribution=distribution)


def service_factory(
    service: ServiceType, *backends: Backend, beside: tuple[str, ...] = ()
) -> Callable[[Callable[P, S]], ServiceFactory[P, S]]:
    """Declare the backends of the service that the decorated function builds.

    ``beside`` names what may be used together with any of them, each switched on by settings of its own.
    """

    def decorate(build: Callable[P, S]) -> ServiceFactory[P, S]:
        return ServiceFactory(build, service, backends, beside)

    return decorate


def _installed(service: ServiceType) -> dict[str, EntryPoint]:
    """The backends of a service that other distributions bring, by name, in the order of the names."""
    prefix = f"{service}."
    found = (entry for entry in entry_points(group=GROUP) if entry.name.startswith(prefix))
    return {entry.name.removeprefix(prefix): entry for entry in sorted(found, key=lambda entry: entry.name)}


def _declared(service: ServiceType, name: str, entry: EntryPoint) -> tuple[Backend, str]:
    distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"
    try:
        backend = entry.load()
        if not isinstance(backend, Backend) or backend.name != name:
            raise TypeError(f"{entry.value} is not a Backend with the name {name!r}")
    except Exception as error:
        raise _broken(service, name, distribution, error) from error
    return backend, distribution


def _broken(service: ServiceType, name: str, distribution: str, error: Exception) -> BackendPluginError:
    return BackendPluginError(
        f"the backend {name!r} of {distribution} cannot be used",
        service=service,
        why=f"{type(error).__name__}: {error}",
        fix=f"repair the distribution, or set BEDPLATE_{service.upper()}__BACKEND to another backend",
    )
