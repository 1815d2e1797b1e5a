"""The shared component cache service."""

import gzip
import hashlib
import sys
from collections.abc import Sequence
from typing import TypeAlias

import orjson

from bedplate.services.base import Service
from bedplate.services.engines.workers import Workers
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache.component import Component
from bedplate.services.shared_component_cache.components import BUILTIN
from bedplate.services.shared_component_cache.definition import check_component, definition
from bedplate.services.shared_component_cache.errors import (
    ComponentExistsError,
    InvalidComponentError,
    UnknownComponentError,
)
from bedplate.services.shared_component_cache.loading import Found, find_components
from bedplate.services.shared_component_cache.models import ComponentDocument, ComponentFailure
from bedplate.services.telemetry import TelemetryService

__all__ = ["SharedComponentCacheService"]

ComponentType: TypeAlias = type[Component]

_BY_CODE = "code"
_BUILT_IN = "built in"

_log = get_logger("bedplate.shared_component_cache")


class SharedComponentCacheService(Service):
    """The component types that flows are made of: built in, registered by code, from folders and from packages.

    Args:
        settings: The settings service; its group is ``shared_component_cache``.
        telemetry: For the metrics.
        workers: Where files are imported.
    """

    type = ServiceType.SHARED_COMPONENT_CACHE
    backend = "memory"

    def __init__(self, settings: SettingsService, telemetry: TelemetryService, workers: Workers) -> None:
        self._settings = settings.values.shared_component_cache
        self._workers = workers
        self._components: dict[str, ComponentType] = {}
        self._origins: dict[str, str] = {}
        self._failures: tuple[ComponentFailure, ...] = ()
        self._modules: tuple[str, ...] = ()
        self._document: ComponentDocument | None = None
        self._known = telemetry.meter.gauge(
            "bedplate_shared_component_cache_components", "Component types that are known"
        )
        for component in BUILTIN:
            self._add(component, _BUILT_IN)

    @property
    def failures(self) -> Sequence[ComponentFailure]:
        """What should have brought component types and did not, each with its error."""
        return self._failures

    def register(self, component: ComponentType, *, replace: bool = False) -> ComponentType:
        """Make a component type known; usable as a decorator.

        Args:
            component: The class.
            replace: Whether it may take the place of another type of the same name.

        Raises:
            ComponentExistsError: Another type has the name.
            InvalidComponentError: It declares too little.
        """
        self._add(component, _BY_CODE, replace=replace)
        return component

    def get(self, type_name: str) -> ComponentType:
        """The component type of this name.

        Raises:
            UnknownComponentError: There is none; the nearest name is suggested.
        """
        component = self._components.get(type_name)
        if component is None:
            raise UnknownComponentError(type_name, self._components)
        return component

    def names(self) -> Sequence[str]:
        """The names of all component types, sorted."""
        return sorted(self._components)

    def document(self) -> ComponentDocument:
        """The definitions of all types; serialised and compressed once, not per call."""
        if self._document is None:
            self._document = self._serialise()
        return self._document

    async def _start(self) -> None:
        found = await self._workers.run("components", 1, find_components, self._settings.components_path)
        self._modules = found.modules
        self._failures = (*found.failures, *self._add_all(found))
        for failure in self._failures:
            _log.warning("a component could not be loaded", origin=failure.origin, error=failure.error)
        self.document()

    async def _stop(self) -> None:
        for name, origin in list(self._origins.items()):
            if origin not in (_BY_CODE, _BUILT_IN):
                del self._components[name], self._origins[name]
        for module in self._modules:
            sys.modules.pop(module, None)
        self._modules, self._failures, self._document = (), (), None

    async def _check(self) -> str | None:
        if self._failures:
            return f"could not load {', '.join(failure.origin for failure in self._failures)}"
        return None

    def _add_all(self, found: Found) -> list[ComponentFailure]:
        failures = []
        for component, origin in found.components:
            try:
                self._add(component, origin)
            except (ComponentExistsError, InvalidComponentError) as error:
                failures.append(ComponentFailure(origin=origin, error=str(error)))
        return failures

    def _add(self, component: ComponentType, origin: str, *, replace: bool = False) -> None:
        check_component(component)
        name = component.type_name
        if name in self._components and not replace:
            raise ComponentExistsError(name, self._origins[name])
        self._components[name] = component
        self._origins[name] = origin
        self._document = None
        self._known.set(len(self._components))

    def _serialise(self) -> ComponentDocument:
        categories: dict[str, dict[str, object]] = {}
        for name, component in self._components.items():
            categories.setdefault(component.category, {})[name] = definition(component)
        body = orjson.dumps(categories, option=orjson.OPT_SORT_KEYS)
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        return ComponentDocument(body=body, gzip=gzip.compress(body, mtime=0), etag=f'"{digest}"')
