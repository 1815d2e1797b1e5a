"""Component types by name, where each comes from, and what they are to editors: one document of all."""

import gzip
import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import orjson

from bedplate.services.logs import get_logger
from bedplate.services.shared_component_cache.component import Component
from bedplate.services.shared_component_cache.definition import check_component, definition
from bedplate.services.shared_component_cache.errors import (
    ComponentExistsError,
    InvalidComponentError,
    UnknownComponentError,
)
from bedplate.services.shared_component_cache.loading import Found
from bedplate.services.shared_component_cache.models import ComponentDocument, ComponentFailure

__all__ = ["ComponentRegistry"]

ComponentType: TypeAlias = type[Component]

_BY_CODE = "code"
_BUILT_IN = "built in"

_log = get_logger("bedplate.shared_component_cache")


class ComponentRegistry:
    """Knows component types.

    Args:
        built_in: Those that are always there.
        on_known: Called with how many are known, whenever that may have changed.
    """

    def __init__(self, built_in: Iterable[ComponentType], on_known: Callable[[int], None]) -> None:
        self._on_known = on_known
        self._components: dict[str, ComponentType] = {}
        self._origins: dict[str, str] = {}
        self._failures: tuple[ComponentFailure, ...] = ()
        self._document: ComponentDocument | None = None
        for component in built_in:
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

    def origin(self, type_name: str) -> str:
        """Where a component type comes from: ``"built in"``, ``"code"``, a file or an entry point.

        Raises:
            UnknownComponentError: There is none of this name.
        """
        self.get(type_name)
        return self._origins[type_name]

    def names(self) -> Sequence[str]:
        """The names of all component types, sorted."""
        return sorted(self._components)

    def document(self) -> ComponentDocument:
        """The definitions of all types; serialised and compressed once, not per call."""
        if self._document is None:
            self._document = self._serialise()
        return self._document

    def _take(self, found: Found) -> None:
        """Put what was found in place of what was found before."""
        failed = {failure.origin for failure in found.failures}
        kept = {_BY_CODE, _BUILT_IN, *failed}
        origins = {
            name: origin
            for name, origin in self._origins.items()
            if origin in kept or str(Path(origin).parent) in failed  # a whole folder that is not there
        }
        self._components = {name: self._components[name] for name in origins}
        self._origins = origins
        self._failures = (*found.failures, *self._add_all(found))
        self._document = None
        self._on_known(len(self._components))
        for failure in self._failures:
            _log.warning("a component could not be loaded", origin=failure.origin, error=failure.error)
        self.document()

    def _forget_found(self) -> None:
        """Forget what folders and packages have brought."""
        for name, origin in list(self._origins.items()):
            if origin not in (_BY_CODE, _BUILT_IN):
                del self._components[name], self._origins[name]
        self._failures, self._document = (), None
        self._on_known(len(self._components))

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
        self._on_known(len(self._components))

    def _serialise(self) -> ComponentDocument:
        categories: dict[str, dict[str, object]] = {}
        for name, component in self._components.items():
            categories.setdefault(component.category, {})[name] = definition(component)
        body = orjson.dumps(categories, option=orjson.OPT_SORT_KEYS)
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        return ComponentDocument(body=body, gzip=gzip.compress(body, mtime=0), etag=f'"{digest}"')
