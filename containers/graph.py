"""The graph of providers: what calling each would call, and cycles in it; none is called here."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dependency_injector import providers

from bedplate.containers.errors import CycleError

__all__ = ["LAZY", "ProviderLike", "closure", "final", "label", "names_of", "refuse_cycles", "related", "static_edges"]

ProviderLike = providers.Provider[Any]

LAZY = (
    providers.Delegate,
    providers.Self,
    providers.Container,
    providers.Configuration,
    providers.ConfigurationOption,
    providers.Aggregate,
)
"""References that do not call what they refer to."""


def refuse_cycles(
    named: dict[str, ProviderLike], edges: Callable[[ProviderLike], Iterable[ProviderLike]] | None = None
) -> None:
    """Raise :class:`CycleError` if providers need each other in a circle; call none of them.

    Calling a provider on a circle overflows the stack of the C extension, which ends the process on CPython 3.13.
    """
    edges = edges or static_edges
    names = names_of(named)
    done: set[ProviderLike] = set()
    for root in named.values():
        path: list[ProviderLike] = []
        stack: list[Iterator[ProviderLike]] = [iter([root])]
        while stack:
            following = next(stack[-1], None)
            if following is None:
                stack.pop()
                if path:
                    done.add(path.pop())
            elif following in path:
                # An overriding provider has the name of the one that it stands in for: say it once.
                labels = dict.fromkeys(label(names, one) for one in path[path.index(following) :])
                raise CycleError((*labels, next(iter(labels))))
            elif following not in done:
                path.append(following)
                stack.append(iter(list(edges(following))))


def static_edges(provider: ProviderLike) -> list[ProviderLike]:
    """What calling a provider calls, whatever the settings are."""
    if provider.last_overriding is not None:
        return [provider.last_overriding]
    if isinstance(provider, LAZY):
        return []
    return [one for one in related(provider) if not providers.is_delegated(one)]


def related(provider: ProviderLike) -> list[ProviderLike]:
    """All providers that this one refers to, in whatever way."""
    return [] if isinstance(provider, LAZY[1:]) else list(provider.related)


def closure(start: Iterable[ProviderLike], step: Callable[[ProviderLike], Iterable[ProviderLike]]) -> set[ProviderLike]:
    """The providers that can be reached by ``step``, those of the start among them."""
    seen: set[ProviderLike] = set()
    todo = list(start)
    while todo:
        if (one := todo.pop()) not in seen:
            seen.add(one)
            todo.extend(step(one))
    return seen


def final(provider: ProviderLike) -> ProviderLike:
    """The provider that answers for this one: itself, or the last that overrides it."""
    while provider.last_overriding is not None:
        provider = provider.last_overriding
    return provider


def names_of(named: dict[str, ProviderLike]) -> dict[ProviderLike, str]:
    """The name of each provider, and of those that stand in for it."""
    names: dict[ProviderLike, str] = {}
    for name, provider in named.items():
        names.setdefault(provider, name)
    for name, provider in named.items():
        names.setdefault(final(provider), name)
    return names


def label(names: dict[ProviderLike, str], provider: ProviderLike) -> str:
    """The name of a provider; the name of what it makes where it has none of its own."""
    if provider in names:
        return names[provider]
    provides = getattr(provider, "provides", None)
    return getattr(provides, "__name__", type(provider).__name__)
