"""The shared component cache service."""

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from bedplate.services.base import Service
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.shared_component_cache.components import BUILTIN
from bedplate.services.shared_component_cache.errors import ReloadTimeoutError
from bedplate.services.shared_component_cache.following import Following
from bedplate.services.shared_component_cache.loading import Found, find_components
from bedplate.services.shared_component_cache.models import Reloaded
from bedplate.services.shared_component_cache.objects import Owner, SharedObjects
from bedplate.services.shared_component_cache.peers import Peers
from bedplate.services.shared_component_cache.registry import ComponentRegistry
from bedplate.services.telemetry import TelemetryService

__all__ = ["SharedComponentCacheService"]

T = TypeVar("T")


class SharedComponentCacheService(Service, ComponentRegistry):
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
        known = telemetry.meter.gauge("bedplate_shared_component_cache_components", "Component types that are known")
        ComponentRegistry.__init__(self, BUILTIN, known.set)
        self.backend = settings.values.shared_component_cache.backend
        self._settings = settings.values.shared_component_cache
        self._workers = workers
        self._modules: tuple[str, ...] = ()
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
            before = set(self.names())
            self._take_all(found)
            after = set(self.names())
        return Reloaded(
            added=tuple(sorted(after - before)),
            removed=tuple(sorted(before - after)),
            failures=tuple(self.failures),
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
        self._take_all(await self._find())
        self._objects.start()
        if self._following is not None:
            self._following.start()

    async def _find(self) -> Found:
        return await self._workers.run("components", 1, find_components, self._settings.components_path)

    def _take_all(self, found: Found) -> None:
        self._modules = tuple({*self._modules, *found.modules})
        self._take(found)

    async def _stop(self) -> None:
        if self._following is not None:
            await self._following.stop()
        if self._letting_go:
            await asyncio.wait(set(self._letting_go))
        self._reloading = None
        await self._objects.stop()
        self._forget_found()
        for module in self._modules:
            sys.modules.pop(module, None)
        self._modules = ()

    async def _check(self) -> str | None:
        if self.failures:
            return f"could not load {', '.join(failure.origin for failure in self.failures)}"
        return None if self._following is None else self._following.trouble()


_COUNTED = {
    "made": "Live objects made.",
    "evicted": "Live objects closed to make room.",
    "failed": "Live objects that could not be closed.",
}
