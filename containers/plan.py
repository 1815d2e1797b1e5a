"""What a start will do, read from the provider graph before any of it runs.

Overrides and selectors are resolved, the factories' backends chosen, what nothing needs left out, and cycles named.
"""

import functools
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dependency_injector import providers

from bedplate.containers.errors import UnknownServiceError
from bedplate.containers.graph import (
    LAZY,
    ProviderLike,
    closure,
    final,
    label,
    names_of,
    refuse_cycles,
    related,
    static_edges,
)
from bedplate.services.backends import Choice, ServiceFactory
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.base import ServiceSettings
from bedplate.services.settings.groups.server import ServerSettings

__all__ = ["Node", "Plan", "is_startable", "make_plan"]

_SINGLETONS = (providers.Singleton, providers.ThreadSafeSingleton)


@dataclass(eq=False, kw_only=True)
class Node:
    """One object that a start makes and starts.

    Attributes:
        name: Its name in the container.
        provider: What makes it; the overriding provider where there is one.
        needs: The nodes that are started before it.
        follows: The nodes that it does without, but is started after and stopped before.
        choice: The backend of a service with a declaration, and why it was chosen.
        overridden: Whether the provider stands in for the container's own.
        policy: What the settings say of it: whether it is required, and its timeouts.
        required: Whether the start fails if this does.
    """

    name: str
    provider: ProviderLike
    needs: "frozenset[Node]" = frozenset()
    follows: "frozenset[Node]" = frozenset()
    choice: Choice | None = None
    overridden: bool = False
    policy: ServiceSettings
    required: bool = True


@dataclass(kw_only=True)
class Plan:
    """What a start will do.

    Attributes:
        nodes: The nodes, each after those that it needs.
        left_out: The names of the services that nothing needs.
        settings: The settings of the container, if it has any.
        whole: Whether it is all that something needs, and not a part that was asked for.
        stop_budget: Seconds in all for stopping them again.
    """

    nodes: list[Node]
    left_out: list[str]
    stop_budget: float
    settings: SettingsService | None = None
    whole: bool = True


def make_plan(
    named: dict[str, ProviderLike],
    *,
    only: Iterable[ProviderLike] = (),
    used: Iterable[ProviderLike] = (),
    optional: frozenset[str] = frozenset(),
) -> Plan:
    """Plan a start of a container's providers.

    Args:
        named: The providers by name, ``settings`` among them if there are any.
        only: Plan these and what they need; empty: all that something needs.
        used: Providers that injected functions ask for, and which are therefore needed.
        optional: The names of those without which the application runs, whatever else is said of them.

    Raises:
        CycleError: Providers need each other in a circle; none has been called.
        ConfigurationError: A setting is wrong, such as the name of a backend.
        UnknownServiceError: A backend declares a need that is not in the container.
    """
    refuse_cycles(named)
    graph = _Graph(named, optional)
    refuse_cycles(named, graph.edges)
    chosen = list(only)
    live = graph.reachable(chosen or graph.roots(used))
    nodes = graph.nodes(live)
    planned = {node.provider for node in nodes}
    left_out = [name for name, one in named.items() if _is_managed(one) and final(one) not in planned]
    return Plan(
        nodes=nodes,
        left_out=sorted(left_out),
        stop_budget=graph.stop_budget,
        settings=graph.settings,
        whole=not chosen,
    )


class _Graph:
    """The graph of what calling each provider would call now."""

    def __init__(self, named: dict[str, ProviderLike], optional: frozenset[str]) -> None:
        self._named = named
        self._optional = optional
        self._names = names_of(named)
        self.settings = _settings_of(named)
        self._edges: dict[ProviderLike, list[ProviderLike]] = {}
        self._choices: dict[ProviderLike, Choice] = {}

    @property
    def stop_budget(self) -> float:
        """Seconds in all for stopping; the default where the container has no settings."""
        return (self.settings.values.server if self.settings else ServerSettings()).stop_timeout

    def edges(self, provider: ProviderLike) -> list[ProviderLike]:
        """The providers that calling this one calls, or that its chosen backend needs."""
        if provider not in self._edges:
            self._edges[provider] = list(self._find_edges(provider))
        return self._edges[provider]

    def reachable(self, start: Iterable[ProviderLike]) -> set[ProviderLike]:
        """The given providers, with all that they need."""
        return closure(start, self.edges)

    def roots(self, used: Iterable[ProviderLike]) -> list[ProviderLike]:
        """The named providers that are needed for their own sake, and those that injected functions ask for.

        Not what a replaced provider or an unselected branch referred to, nor the engines that a backend may declare
        that it needs, nor what these need in turn; unless it refers back to them, and so is their user.
        """
        everything = closure(self._named.values(), related)
        unsure = self._on_demand(everything)
        for one in everything:
            if one.last_overriding is not None or isinstance(one, providers.Selector):
                unsure |= set(related(one)) - set(self.edges(one))
        reach = functools.cache(lambda one: frozenset(closure([one], related)))
        dropped = unsure | {one for start in unsure for one in reach(start) if start not in reach(one)}
        return [one for one in self._named.values() if one not in dropped] + list(used)

    def _on_demand(self, everything: Iterable[ProviderLike]) -> set[ProviderLike]:
        factories = [factory for one in everything if (factory := _factory_of(one)) is not None]
        backends = [backend for factory in factories for backend in factory.backends.values()]
        needs = {need for backend in backends for need in backend.needs}
        needs |= {need.engine for backend in backends for need in backend.may_need}
        return {self._named[need] for need in needs if need in self._named}

    def nodes(self, live: set[ProviderLike]) -> list[Node]:
        """The nodes among the live providers, in an order in which they can start."""
        made: dict[ProviderLike, Node] = {}
        for provider in self._ordered(live):
            if not _is_managed(provider) or provider.last_overriding is not None:
                continue
            reached = closure(self.edges(provider), lambda one: () if one in made else self.edges(one))
            name = self._free_name(provider, {node.name for node in made.values()})
            made[provider] = Node(
                name=name,
                provider=provider,
                needs=frozenset(made[one] for one in reached if one in made),
                choice=self._choices.get(provider),
                overridden=bool(provider.overrides),
                policy=self.settings.of(_group_of(provider) or name) if self.settings else ServiceSettings(),
            )
        nodes = list(made.values())
        for node in nodes:
            if getattr(getattr(node.provider, "provides", None), "follows_all", False):
                node.follows = frozenset(one for one in nodes if one is not node and node not in one.needs)
        for node in reversed(nodes):
            node.required = self._is_required(node, nodes)
        return nodes

    def _is_required(self, node: Node, nodes: list[Node]) -> bool:
        """As its settings say; an engine without settings of its own is as required as those that need it."""
        if node.name in self._optional:
            return False
        group = getattr(self.settings.values, node.name, None) if self.settings else None
        dependants = [one for one in nodes if node in one.needs]
        if isinstance(group, ServiceSettings) or not dependants:
            return node.policy.required
        return any(one.required for one in dependants)

    def _free_name(self, provider: ProviderLike, taken: set[str]) -> str:
        """The name in the container; one that has none is called by its class, and numbered if need be."""
        name = label(self._names, provider)
        candidates = (name, *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
        return next(one for one in candidates if one not in taken)

    def _ordered(self, live: set[ProviderLike]) -> list[ProviderLike]:
        """Dependencies first; otherwise as declared in the container."""
        ordered: dict[ProviderLike, None] = {}
        position = {name: index for index, name in enumerate(self._named)}
        declared = sorted(live, key=lambda one: position.get(self._names.get(one, ""), len(position)))
        stack = [(one, False) for one in reversed(declared)]
        while stack:
            one, expanded = stack.pop()
            if one in ordered:
                continue
            if expanded:
                ordered[one] = None
            else:
                stack.append((one, True))
                stack.extend((needed, False) for needed in reversed(self.edges(one)))
        return list(ordered)

    def _find_edges(self, provider: ProviderLike) -> Iterator[ProviderLike]:
        if provider.last_overriding is None and isinstance(provider, providers.Selector):
            selector: Any = provider.selector
            if providers.is_provider(selector):
                yield selector
            branch = provider.providers.get(selector())
            if branch is not None:  # calling the provider says best what is wrong with an unknown key
                self._names.setdefault(branch, label(self._names, provider))
                yield branch
            return
        yield from static_edges(provider)
        factory = _factory_of(provider)
        if provider.last_overriding is None and factory is not None and self.settings is not None:
            choice = self._choices[provider] = factory.choose(self.settings)
            for need in choice.needs:
                if need not in self._named:
                    raise UnknownServiceError(
                        f"its backend {choice.backend.name!r} needs {need!r}, which the container does not have",
                        service=factory.service,
                        fix=f"add {need} = Singleton(...) to the container",
                    )
                yield self._named[need]


def is_startable(value: object) -> bool:
    """Whether the container has to start and stop the object: it has coroutine methods of these names."""
    return all(inspect.iscoroutinefunction(getattr(value, name, None)) for name in ("start", "stop"))


def _group_of(provider: ProviderLike) -> str | None:
    group: str | None = getattr(getattr(provider, "provides", None), "settings_group", None)
    return group


def _factory_of(provider: ProviderLike) -> ServiceFactory[..., Any] | None:
    factory = getattr(provider, "provides", None)
    return factory if isinstance(factory, ServiceFactory) else None


def _settings_of(named: dict[str, ProviderLike]) -> SettingsService | None:
    settings = named["settings"]() if "settings" in named else None
    return settings if isinstance(settings, SettingsService) else None


def _is_managed(provider: ProviderLike) -> bool:
    """Whether the container starts and stops what the provider gives."""
    answering = final(provider)
    if isinstance(answering, providers.Object):
        own = bool(answering.overrides) or is_startable(answering.provides)
        return own and not isinstance(answering, LAZY)
    return isinstance(answering, (*_SINGLETONS, providers.Resource))
