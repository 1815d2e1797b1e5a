"""The container: stock dependency-injector, with strict wiring and a start and a stop that can be relied on."""

import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from dependency_injector import containers, providers

from bedplate.containers import binding, strict
from bedplate.containers.doctor import backends_of, build, examine
from bedplate.containers.errors import UnknownServiceError
from bedplate.containers.graph import ProviderLike, refuse_cycles
from bedplate.containers.health import ContainerHealth, check_health
from bedplate.containers.lifecycle import Lifecycle
from bedplate.containers.plan import Plan, make_plan
from bedplate.containers.report import Report
from bedplate.containers.requirements import missing
from bedplate.services.checks import Finding
from bedplate.services.errors import WiringError
from bedplate.services.settings import SettingsService

__all__ = ["ContainerInstance", "ServiceContainer"]

_CHECKS_TIMEOUT = 30.0


class ContainerInstance(containers.DynamicContainer):
    """What a :class:`ServiceContainer` makes when it is called: the services as attributes, the verbs on all of them.

    ``container.cache`` is the provider of a service, ``container.cache()`` the service, and
    ``with container.cache.override(Singleton(FakeCache)):`` replaces it, before a start or after.
    """

    if TYPE_CHECKING:  # the stubs of dependency-injector do not have them
        wired_to_modules: list[Any]
        wired_to_packages: list[Any]
        declarative_parent: Any

    def __init__(self) -> None:
        super().__init__()
        self._lifecycle = Lifecycle(self._plan)
        self._optional: set[str] = set()
        self._draining = False

    # Start and stop

    @property
    def started(self) -> bool:
        """Whether something is started, or being started, and not stopped."""
        return self._lifecycle.entered

    @property
    def draining(self) -> bool:
        """Whether the process is about to stop, and is to be sent nothing more; ``/readyz`` says so."""
        return self._draining and self.started

    def begin_drain(self) -> None:
        """Say from now on, until the next start, that the process is about to stop; nothing else changes."""
        self._draining = True

    @property
    def report(self) -> Report:
        """What started, in which order, how long it took and why that backend; before a start, what one would do."""
        return self._lifecycle.report or self._lifecycle.preview()

    async def init_resources(  # type: ignore[override]  # stock answers with an awaitable or None
        self,
        resource_type: type[providers.BaseResource[Any]] = providers.BaseResource,
        *,
        only: Iterable[ProviderLike | str] = (),
    ) -> Report:
        """Start the services, or ``only`` those given and what they need; do nothing for those that are started.

        Args:
            resource_type: As in dependency-injector: a subclass of ``Resource`` starts its providers alone.
            only: Providers of this container, or their names.

        Raises:
            CycleError: Services need each other in a circle; none has been called.
            ConfigurationError: A setting or a marker of a wired module is wrong; nothing has been started.
            AlreadyWiredError: Another running container is wired to the same modules.
            StartError: Services did not start; those that had are stopped again.
        """
        chosen = [self._provider(one) for one in only]
        if resource_type not in (providers.BaseResource, providers.Resource):
            chosen += [one for one in named_providers(self).values() if isinstance(one, resource_type)]
        refuse_cycles(named_providers(self))
        strict.rewire(self)
        self._draining = self.draining
        return await self._lifecycle.start(chosen)

    async def shutdown_resources(  # type: ignore[override]  # stock answers with an awaitable or None
        self,
        resource_type: type[providers.BaseResource[Any]] = providers.BaseResource,
    ) -> Report:
        """Stop all that is started, dependants first; a cancelled caller leaves when all is stopped.

        Args:
            resource_type: Accepted for callers of dependency-injector; whatever it is, all is stopped, because what
                is not a resource depends on what is.

        Raises:
            StopError: Services did not stop cleanly; all the others are stopped.
        """
        return await self._lifecycle.stop()

    @asynccontextmanager
    async def running(self, *only: ProviderLike | str) -> AsyncIterator[Self]:
        """Start for the length of a block: all services, or those given and what they need.

        Raises:
            StartError: See :meth:`init_resources`.
            StopError: See :meth:`shutdown_resources`.
        """
        await self.init_resources(only=only)
        try:
            yield self
        finally:
            await self.shutdown_resources()

    async def health(self) -> ContainerHealth:
        """Ask every started service for its health, all at once, each within ``server.health_timeout``."""
        return await check_health(self._lifecycle.report, self._lifecycle.values, self._lifecycle.settings)

    async def examine(self) -> list[Finding]:
        """Run the checks of all services, the worst findings first; starts nothing, and changes nothing.

        A service that cannot be built, such as for want of an extra, is a finding too.

        Raises:
            CycleError: Services need each other in a circle; none has been called.
            ConfigurationError: A setting is wrong.
        """
        plan = self._plan(())
        built, found = build(plan)
        settings = next((one for one in built.values() if isinstance(one, SettingsService)), None)
        if settings is None:
            return found
        found += await examine(built, settings, backends_of(plan), started=self.started, timeout=_CHECKS_TIMEOUT)
        said = " ".join(f"{one.what} {one.fix}" for one in found)
        return [one.finding for one in missing(plan) if one.setting not in said] + found

    # What is in it

    def add(self, name: str, provider: ProviderLike, *, required: bool = True) -> None:
        """Add a service to this container alone, as a plug-in does.

        Args:
            name: What it is called in the container.
            provider: What makes it.
            required: Whether a start fails if this one does.

        Raises:
            WiringError: The name is taken, or is no name of a service.
        """
        if name in self.providers:
            raise WiringError(f"the container has a service {name!r}", fix=f"use container.{name}.override(...)")
        _check_name(name)
        # Wiring looks a provider up in the class that the container was made from.
        parent: Any = self.declarative_parent or ServiceContainer
        self.declarative_parent = type(parent)(parent.__name__, (parent,), {name: provider})
        setattr(self, name, provider)
        if not required:
            self._optional.add(name)

    def get(self, name: str) -> Any:
        """The service of this name, as ``getattr(container, name)()``.

        Raises:
            UnknownServiceError: The container has no such service.
        """
        return self._provider(name)()

    def _provider(self, named: ProviderLike | str) -> ProviderLike:
        known = named_providers(self)
        if isinstance(named, str) and named in known:
            return known[named]
        if named in known.values() and not isinstance(named, str):
            return named
        raise UnknownServiceError(
            f"the container has no service {named!r}", fix=f"name one of {', '.join(binding.service_names(self))}"
        )

    def _plan(self, only: Iterable[ProviderLike]) -> Plan:
        provider: ProviderLike
        for provider in self.traverse():
            # An async Resource would have itself and every dependant answer with futures, for good. The start waits
            # for it instead, and after that all providers answer with plain objects.
            provider.disable_async_mode()
        return make_plan(
            named_providers(self), only=only, used=binding.used_by(self), optional=frozenset(self._optional)
        )

    # Wiring

    def wire(
        self,
        modules: Iterable[Any] | None = None,
        packages: Iterable[Any] | None = None,
        from_package: str | None = None,
        keep_cache: bool | None = None,
        warn_unresolved: bool = True,
    ) -> None:
        """Bind the injected functions of modules to this container, strictly; all or nothing.

        Args:
            modules: Modules, or their names; default: those of the container's ``wiring_config``.
            packages: Packages, or their names: every module below them is imported and wired. Naming modules is safer.
            from_package: What relative names are relative to; default: the caller's package.
            keep_cache: Accepted for callers of dependency-injector; there is no cache to keep.
            warn_unresolved: Accepted for callers of dependency-injector; an unresolved marker is an error here.

        Raises:
            UnknownServiceError: A marker names a service that the container lacks; it is left unwired.
            AlreadyWiredError: Another running container is wired to one of the modules.
        """
        configured = self.wiring_config
        if modules is None and packages is None:
            modules, packages = configured.modules, configured.packages
            from_package = from_package or configured.from_package or _package_of(self.declarative_parent)
        elif from_package is None:
            caller = sys._getframe(1)  # noqa: SLF001  # documented; relative names are the caller's
            from_package = caller.f_globals.get("__package__")
        refuse_cycles(named_providers(self))
        strict.wire(self, modules or (), packages or (), from_package)

    def unwire(self) -> None:
        """Undo :meth:`wire`; what another container has wired since stays with it."""
        strict.unwire(self)


def _check_name(name: str) -> None:
    if not name.isidentifier() or name.startswith("_") or hasattr(ContainerInstance, name):
        raise WiringError(f"a service cannot be called {name!r}", fix="choose a name that a container does not have")


def _refuse_split(container_class: Any) -> None:
    """Refuse a class that redefines a service of its base of which others of that base keep the old one."""
    inherited, own = container_class.inherited_providers, container_class.cls_providers
    for name in inherited.keys() & own.keys():
        keeping = [
            other for other in inherited.keys() - own.keys() if inherited[name] in set(inherited[other].traverse())
        ]
        if keeping:
            raise WiringError(
                f"{container_class.__name__} redefines {name!r}, but {', '.join(sorted(keeping))} would go on with the "
                "one of its base",
                fix=f"replace it when a container is made, {container_class.__name__}({name}=Singleton(...)), or by "
                f"container.{name}.override(...)",
            )


def _package_of(container_class: type | None) -> str | None:
    module = sys.modules.get(container_class.__module__) if container_class else None
    return getattr(module, "__package__", None)


def named_providers(container: Any, prefix: str = "") -> dict[str, ProviderLike]:
    """The providers of a container by name, with those of nested containers under dotted names."""
    named: dict[str, ProviderLike] = {}
    for name, provider in container.providers.items():
        if isinstance(provider, providers.Container):
            named |= named_providers(provider.container, f"{prefix}{name}.")
        elif not isinstance(provider, providers.Self):
            named[prefix + name] = provider
    return named


if TYPE_CHECKING:
    # A container class is called to make a container, but what it makes is a ContainerInstance with its providers.
    class ServiceContainer(ContainerInstance, containers.DeclarativeContainer):
        """See below."""

        def __init__(self, **overriding_providers: Any) -> None: ...

else:

    class ServiceContainer(containers.DeclarativeContainer):
        """Base class of containers: services are class attributes, made from stock providers.

        ::

            class Container(ServiceContainer):
                settings = Singleton(SettingsService)
                pool = Singleton(Pool, settings)


            container = Container(pool=Singleton(FakePool))  # providers by keyword replace those of the class
            async with container.running():
                container.pool()
        """

        instance_type = ContainerInstance

        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            for name in cls.cls_providers:
                _check_name(name)
            _refuse_split(cls)
