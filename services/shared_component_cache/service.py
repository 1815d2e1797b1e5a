"""The shared component cache service."""

import asyncio
import gzip
import hashlib
import sys
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias, TypeVar

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
    ReloadTimeoutError,
    UnknownComponentError,
)
from bedplate.services.shared_component_cache.following import Following
from bedplate.services.shared_component_cache.loading import Found, find_components
from bedplate.services.shared_component_cache.models import ComponentDocument, ComponentFailure, Reloaded
from bedplate.services.shared_component_cache.objects import Owner, SharedObjects
from bedplate.services.shared_component_cache.peers import Peers
from bedplate.services.telemetry import TelemetryService

__all__ = ["SharedComponentCacheService"]

T = TypeVar("T")

ComponentType: TypeAlias = type[Component]

_BY_CODE = "code"
_BUILT_IN = "built in"

_log = get_logger("bedplate.shared_component_cache")


class SharedComponentCacheService(Service):
    """The component types that flows are made of: built in, registered by code, from folders and from packages.

    Beside them, the live objects that components share: models, clients, vector stores.

    Args:
        settings: The settings service; its group is ``shared_component_cache``.
        telemetry: For the metrics.
        workers: Where files are imported.
        peers: The other replicas, which do what this one does; None: each is on its own.
    """

    type = ServiceType.SHARED_COMPONENT_CACHE

    def __init__(
        self, settings: SettingsService, telemetry: TelemetryService, workers: Workers, peers: Peers | None = None
    ) -> None:
        self.backend = settings.values.shared_component_cache.backend
        self._settings = settings.values.shared_component_cache
        self._workers = workers
        self._components: dict[str, ComponentType] = {}
        self._origins: dict[str, str] = {}
        self._failures: tuple[ComponentFailure, ...] = ()
        self._modules: tuple[str, ...] = ()
        self._document: ComponentDocument | None = None
        self._reloading: asyncio.Lock | None = None
        self._letting_go: set[asyncio.Task[int]] = set()
        self._following = None
        if peers is not None:
            self._following = Following(peers, self._reload, lambda: self.document().etag, self._discarded)
        self._objects = SharedObjects(
            most=self._settings.max_objects,
            most_of_owner=self._settings.max_objects_per_user,
            close_timeout=self._settings.close_timeout,
        )
        self._known = telemetry.meter.gauge(
            "bedplate_shared_component_cache_components", "Component types that are known"
        )
        objects, meter = self._objects, telemetry.meter
        meter.observe_gauge(
            "bedplate_shared_component_cache_objects", "Live objects that are kept", lambda: [(len(objects), {})]
        )
        for name, description in _COUNTED.items():
            meter.observe_counter(
                f"bedplate_shared_component_cache_objects_{name}",
                description,
                lambda name=name: [(getattr(objects, name), {})],  # type: ignore[misc]  # mypy infers no default
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

    async def reload(self) -> Reloaded:
        """Load the components of folders and packages anew; runs under way go on with those that they have.

        A file that cannot be imported any more is listed with its error, and the version of it that could be stays.
        Types registered by code stay as they are. One reload runs at a time, and one that fails changes nothing. Where
        replicas know of each other, the others do the same a moment later.

        Raises:
            ReloadTimeoutError: It took longer than ``reload_timeout`` of the settings.
        """
        reloaded = await self._reload()
        if self._following is not None:
            self._following.changed()
        return reloaded

    async def _reload(self) -> Reloaded:
        if self._reloading is None:  # of the loop that this runs in
            self._reloading = asyncio.Lock()
        async with self._reloading:
            self._require_started()
            seconds = self._settings.reload_timeout
            try:
                async with asyncio.timeout(seconds):
                    found = await self._find()
            except TimeoutError:
                raise ReloadTimeoutError(seconds) from None
            self._require_started()
            before = set(self._components)
            self._take(found)
            after = set(self._components)
        return Reloaded(
            added=tuple(sorted(after - before)),
            removed=tuple(sorted(before - after)),
            failures=self._failures,
            etag=self.document().etag,
        )

    def shared(
        self,
        owner: Owner,
        key: str,
        make: Callable[[], Awaitable[T]],
        *,
        close: Callable[[T], object] | None = None,
    ) -> AbstractAsyncContextManager[T]:
        """A live object, made once for any number of callers, and not closed within the block.

        ::

            async with components.shared(user_id, f"openai {base_url} {digest}", make_client) as client:
                ...

        It is kept after the block for the next caller, until room is needed, it is discarded, or the service stops.

        Args:
            owner: The user whose it is, who alone gets it; None: the application's.
            key: Everything that it is made of, secrets as a digest.
            make: Makes it. A caller who is cancelled does not end this while others wait; when it fails, all who wait
                get its error, and the next caller makes it anew.
            close: Closes it, and may be asynchronous; None: its own ``aclose`` or ``close``, if it has one.

        Raises:
            TooManyObjectsError: As many objects are in use as may be.
            ObjectClosedError: The service stops.
            Exception: What ``make`` raised.
        """
        self._require_started()
        return self._objects.use(owner, key, make, close)

    async def discard(self, owner: Owner, key: str | None = None) -> int:
        """Let go of an object of an owner, or of all; one that is in use is closed when its last user is done.

        Where replicas know of each other, the others let go of theirs too.

        Returns:
            How many there were here.
        """
        number = await self._objects.discard(owner, key)
        if self._following is not None:
            await self._following.discard("" if owner is None else str(owner), key)
        return number

    def _discarded(self, owner: str, key: str | None) -> None:
        """Let go of what another replica has let go of."""
        discarding = self._objects.discard(uuid.UUID(owner) if owner else None, key)
        task = asyncio.get_running_loop().create_task(discarding)
        self._letting_go.add(task)
        task.add_done_callback(self._letting_go.discard)

    async def _start(self) -> None:
        if self._following is not None:
            await self._following.begin()
        self._take(await self._find())
        self._objects.start()
        if self._following is not None:
            self._following.start()

    async def _find(self) -> Found:
        return await self._workers.run("components", 1, find_components, self._settings.components_path)

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
        self._modules = tuple({*self._modules, *found.modules})
        self._document = None
        self._known.set(len(self._components))
        for failure in self._failures:
            _log.warning("a component could not be loaded", origin=failure.origin, error=failure.error)
        self.document()

    async def _stop(self) -> None:
        if self._following is not None:
            await self._following.stop()
        if self._letting_go:
            await asyncio.wait(set(self._letting_go))
        self._reloading = None
        await self._objects.stop()
        for name, origin in list(self._origins.items()):
            if origin not in (_BY_CODE, _BUILT_IN):
                del self._components[name], self._origins[name]
        for module in self._modules:
            sys.modules.pop(module, None)
        self._modules, self._failures, self._document = (), (), None

    async def _check(self) -> str | None:
        if self._failures:
            return f"could not load {', '.join(failure.origin for failure in self._failures)}"
        return None if self._following is None else self._following.trouble()

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


_COUNTED = {
    "made": "Live objects made.",
    "evicted": "Live objects closed to make room.",
    "failed": "Live objects that could not be closed.",
}
