"""``wire()`` as in dependency-injector, except that what cannot be resolved is an error, and leaves nothing wired.

Functions decorated with Bedplate's ``inject`` are bound by :mod:`bedplate.containers.binding`. Modules that use the
markers of dependency-injector without it are handed to the stock function as well; the others are not, because it
inspects every member of every class in sight, which costs a quarter of a second for a dozen modules with routes.
"""

import importlib
import inspect
import pkgutil
import warnings
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Annotated, Any, Protocol, cast, get_args, get_origin

import dependency_injector
from dependency_injector import wiring

from bedplate.containers import binding
from bedplate.containers.errors import UnknownServiceError

__all__ = ["Wired", "rewire", "unwire", "wire"]

_MARKERS = (cast("type", wiring.Provide), cast("type", wiring.Provider), cast("type", wiring.Closing))


class Wired(binding.Owner, Protocol):
    """A container that can be wired."""

    wired_to_modules: list[ModuleType]
    wired_to_packages: list[ModuleType]


def wire(
    container: Wired, modules: Iterable[ModuleType | str], packages: Iterable[ModuleType | str], relative_to: str | None
) -> None:
    """Wire the container to modules, and to all modules below packages; all or nothing.

    Raises:
        UnknownServiceError: A marker names a service that the container lacks; it is left unwired.
        AlreadyWiredError: Another running container is wired to one of the modules.
    """
    named = [_imported(module, relative_to) for module in modules]
    roots = [_imported(package, relative_to) for package in packages]
    named += [module for root in roots for module in _below(root)]
    try:
        container.wired_to_modules.extend(module for module in named if module not in container.wired_to_modules)
        container.wired_to_packages.extend(root for root in roots if root not in container.wired_to_packages)
        rewire(container)
    except Exception:
        unwire(container)
        raise


def rewire(container: Wired) -> None:
    """Bind again: see providers and functions made since, and take back modules from a container that is not running.

    Raises:
        UnknownServiceError: A marker names a service that the container lacks.
        AlreadyWiredError: Another running container is wired to one of the modules.
    """
    modules = container.wired_to_modules
    if not modules:
        return
    packages = [package.__name__ for package in container.wired_to_packages]
    binding.claim(container, [module.__name__ for module in modules], packages)
    unresolved = [f"{module.__name__}: {text}" for module in modules for text in _wire_stock(container, module)]
    if unresolved:
        raise UnknownServiceError(
            f"cannot wire {'; '.join(unresolved)}",
            fix=f"name one of the container's services: {', '.join(binding.service_names(container))}",
        )
    binding.bind(container)


def unwire(container: Wired) -> None:
    """Undo all wiring; what another container has wired since stays with it."""
    owned = [module for module in container.wired_to_modules if binding.owner_of(module.__name__) is container]
    wiring.unwire(modules=filter(_has_stock_markers, owned))
    container.wired_to_modules.clear()
    container.wired_to_packages.clear()
    binding.release(container)


def _imported(module: ModuleType | str, relative_to: str | None) -> ModuleType:
    return importlib.import_module(module, relative_to) if isinstance(module, str) else module


def _below(package: ModuleType) -> Iterator[ModuleType]:
    """The package and every module below it, except those that are there to be run."""
    yield package
    for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{package.__name__}."):
        if not found.name.endswith(".__main__"):
            yield importlib.import_module(found.name)


def _wire_stock(container: Wired, module: ModuleType) -> list[str]:
    """Wire what dependency-injector's own ``inject`` serves; return what it says of unresolved markers."""
    if not _has_stock_markers(module):
        return []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", wiring.UnresolvedMarkerWarning)
        wiring.wire(cast("Any", container), modules=[module], warn_unresolved=True)
    unresolved = []
    for one in caught:
        if issubclass(one.category, wiring.UnresolvedMarkerWarning):
            unresolved.append(str(one.message))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno, source=one.source)
    return sorted(set(unresolved))


def _has_stock_markers(module: ModuleType) -> bool:
    """Whether the module uses dependency-injector's own ``inject``, or markers where only the stock wiring looks."""
    members = vars(module)
    if any(value is wiring.inject or value is wiring or value is dependency_injector for value in members.values()):
        return True
    return _has_marked_member(module) or any(
        _has_marked_member(value)
        for value in members.values()
        if isinstance(value, type) and value.__module__ == module.__name__
    )


def _has_marked_member(holder: Any) -> bool:
    annotations = vars(holder).get("__annotations__", {})
    return any(map(_is_marker, annotations.values())) or any(map(_is_marked, vars(holder).values()))


def _is_marked(member: Any) -> bool:
    function = getattr(member, "__func__", member)
    if not inspect.isfunction(function):
        return isinstance(member, _MARKERS)  # not an alias such as Database = Annotated[...]
    if hasattr(function, "__injected__"):
        return False
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    return any(map(_is_marker, (*defaults, *function.__annotations__.values())))


def _is_marker(value: Any) -> bool:
    """Whether a default or an annotation is a marker, or holds one as ``Annotated`` and ``Depends`` do."""
    if get_origin(value) is Annotated:
        return any(map(_is_marker, get_args(value)[1:]))
    return isinstance(value, _MARKERS) or (
        type(value).__name__ == "Depends" and isinstance(getattr(value, "dependency", None), _MARKERS)
    )
