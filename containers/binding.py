"""Which container fills the parameters of which injected function.

A container owns the modules that it is wired to; the last one wired wins, unless the other is running. Wiring is
global to the process, as it is in dependency-injector.
"""

import functools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, cast

from dependency_injector import providers, wiring

from bedplate.containers.errors import AlreadyWiredError, NotWiredError, UnknownServiceError

__all__ = ["Binding", "Owner", "bind", "claim", "owner_of", "register", "release", "service_names", "used_by"]

_PROVIDER = cast("type", wiring.Provider)


class Owner(Protocol):
    """What this module needs to know of a container."""

    @property
    def providers(self) -> dict[str, providers.Provider[Any]]:
        """The providers by name."""
        ...

    @property
    def started(self) -> bool:
        """Whether something of it is started and not stopped."""
        ...


@dataclass(eq=False)
class Binding:
    """An injected function: what it wants, and the container that fills it.

    Attributes:
        module: The module that the function is defined in.
        name: Its qualified name.
        markers: The marker of each injected parameter.
        set_providers: Fills the cells that the wrapper calls, one for each marker, in their order.
        owner: The container that it is bound to; None while there is none.
    """

    module: str
    name: str
    markers: dict[str, Any]
    set_providers: Callable[..., None]
    owner: Owner | None = None
    resolved: tuple[Any, ...] = ()

    def unbind(self) -> None:
        """Make every call that needs a service raise :class:`NotWiredError`."""
        self.owner = None
        self.resolved = ()
        self.set_providers(*(functools.partial(self._not_wired, parameter) for parameter in self.markers))

    def _not_wired(self, parameter: str) -> None:
        raise NotWiredError(
            f"{self.module}.{self.name}() was called without {parameter!r} ({self.markers[parameter]!r}) "
            "while no container is wired to its module",
            fix=f"call container.wire(modules=[{self.module!r}]) first, or pass {parameter}=... yourself",
        )


_lock = threading.RLock()
_bindings: "weakref.WeakSet[Binding]" = weakref.WeakSet()
_owners: dict[str, Owner] = {}
"""The container by key: a module's name, or a package's name with ``.*`` for all that is below it."""


def register(binding: Binding) -> Binding:
    """Take up a new function; if a container is wired to its module already, bind it at once.

    A route in an app factory, or a module that is imported late, is made after ``wire()``.
    """
    binding.unbind()
    with _lock:
        if (owner := owner_of(binding.module)) is not None:
            bind(owner, [binding])
        _bindings.add(binding)
    return binding


def claim(owner: Owner, modules: Iterable[str], packages: Iterable[str]) -> None:
    """Make ``owner`` the container of these modules, and of all modules below these packages.

    Raises:
        AlreadyWiredError: Another container has one of them and is running.
    """
    keys = [*modules, *(f"{package}.*" for package in packages)]
    with _lock:
        for key, other in _owners.items():
            if other is not owner and other.started and any(_overlap(key, wanted) for wanted in keys):
                raise AlreadyWiredError(
                    f"another running container is wired to {key}",
                    fix="stop it first (await other.shutdown_resources()); two containers that inject into the same "
                    "modules at the same time need a process each",
                )
        _owners.update(dict.fromkeys(keys, owner))


def release(owner: Owner) -> None:
    """Give up all modules of ``owner``; functions that another container has bound since stay bound to it."""
    with _lock:
        for key in [key for key, held_by in _owners.items() if held_by is owner]:
            del _owners[key]
        for binding in _bound_to(owner):
            binding.unbind()


def bind(owner: Owner, bindings: Iterable[Binding] | None = None) -> None:
    """Resolve the markers of ``bindings`` (default: of all functions in the owner's modules); bind all or none.

    Raises:
        UnknownServiceError: A marker names no provider of the container; the text names module, function, parameter.
    """
    with _lock:
        wanted = list(_owned_by(owner)) if bindings is None else list(bindings)
        known = wiring.ProvidersMap(owner)
        found = [(binding, _resolve_all(known, binding)) for binding in wanted]
        unknown = [
            f"{binding.module}.{binding.name}(): parameter {parameter!r} wants {binding.markers[parameter]!r}"
            for binding, resolved in found
            for parameter, provider in resolved.items()
            if not providers.is_provider(provider)
        ]
        if unknown:
            raise UnknownServiceError(
                f"cannot wire {'; '.join(sorted(unknown))}",
                fix=f"name one of the container's services: {', '.join(service_names(owner))}",
            )
        for binding, resolved in found:
            binding.resolved = tuple(resolved.values())
            binding.set_providers(*(_callable(binding.markers[name], provider) for name, provider in resolved.items()))
            binding.owner = owner


def used_by(owner: Owner) -> set[Any]:
    """The providers that functions bound to ``owner`` ask for."""
    with _lock:
        return {provider for binding in _bound_to(owner) for provider in binding.resolved}


def service_names(owner: Owner) -> list[str]:
    """The names that a marker may use, sorted."""
    return sorted(name for name in owner.providers if not name.startswith("_"))


def _resolve_all(known: wiring.ProvidersMap, binding: Binding) -> dict[str, Any]:
    return {
        parameter: known.resolve_provider(marker.provider, marker.modifier)
        for parameter, marker in binding.markers.items()
    }


def _callable(marker: Any, provider: Any) -> Any:
    """What a wrapper calls: the provider, or for a ``Provider[...]`` marker what returns the provider itself."""
    if isinstance(marker, _PROVIDER) and not isinstance(provider, providers.Delegate):
        return provider.provider
    return provider


def owner_of(module: str) -> Owner | None:
    """The container that is wired to the module, if there is one."""
    parts = module.split(".")
    keys = [module, *(".".join(parts[:count]) + ".*" for count in range(len(parts), 0, -1))]
    return next((_owners[key] for key in keys if key in _owners), None)


def _owned_by(owner: Owner) -> Iterator[Binding]:
    return (binding for binding in list(_bindings) if owner_of(binding.module) is owner)


def _bound_to(owner: Owner) -> list[Binding]:
    return [binding for binding in list(_bindings) if binding.owner is owner]


def _overlap(one: str, other: str) -> bool:
    """Whether two keys can mean the same module."""
    return _covers(one, other) or _covers(other, one)


def _covers(wide: str, narrow: str) -> bool:
    name = narrow.removesuffix(".*")
    if wide.endswith(".*"):
        return f"{name}.".startswith(wide[:-1])
    return wide == name
