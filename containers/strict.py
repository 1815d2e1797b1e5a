"""``wire()`` as in dependency-injector, except that what cannot be resolved is an error, and leaves nothing wired."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from dependency_injector import wiring

from bedplate.containers import binding
from bedplate.containers.errors import UnknownServiceError

__all__ = ["Wired", "rewire", "wire"]


class Wired(binding.Owner, Protocol):
    """A container that can be wired."""

    wired_to_modules: list[Any]
    wired_to_packages: list[Any]

    def unwire(self) -> None:
        """Undo all wiring."""
        ...


def wire(container: Wired, stock: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Wire with the stock function, then bind what ``inject`` made; all or nothing.

    Raises:
        UnknownServiceError: A marker names a service that the container lacks.
        AlreadyWiredError: Another running container is wired to one of the modules.
    """
    try:
        with _unresolved_is_an_error(container):
            stock(*arguments, True)
        rewire(container)
    except Exception:
        container.unwire()
        raise


def rewire(container: Wired) -> None:
    """Bind again, so that providers added or replaced since are seen, and take over modules lost to another container.

    Raises:
        UnknownServiceError: A marker names a service that the container lacks.
        AlreadyWiredError: Another running container is wired to one of the modules.
    """
    modules = [module.__name__ for module in container.wired_to_modules]
    packages = [package.__name__ for package in container.wired_to_packages]
    if modules or packages:
        binding.claim(container, modules, packages)
        binding.bind(container)


@contextmanager
def _unresolved_is_an_error(container: Wired) -> Iterator[None]:
    """Collect the stock warnings of unresolved markers into one error; pass other warnings on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", wiring.UnresolvedMarkerWarning)
        yield
    unresolved = [str(one.message) for one in caught if issubclass(one.category, wiring.UnresolvedMarkerWarning)]
    for one in caught:
        if not issubclass(one.category, wiring.UnresolvedMarkerWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno, source=one.source)
    if unresolved:
        raise UnknownServiceError(
            f"cannot wire: {'; '.join(sorted(set(unresolved)))}",
            fix=f"name one of the container's services: {', '.join(binding.service_names(container))}",
        )
