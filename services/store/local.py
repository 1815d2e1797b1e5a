"""The catalogue in the database."""

import uuid
from collections.abc import Sequence
from typing import Final, Self

import msgspec
import orjson
from msgspec import UNSET
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.cache import CacheService
from bedplate.services.database import DatabaseService
from bedplate.services.database.locks import lock_user
from bedplate.services.database.models import StoreComponentRow, new_id, utc_now
from bedplate.services.database.repositories.store import StoreRepository
from bedplate.services.database.repositories.store_likes import StoreLikesRepository
from bedplate.services.errors import UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.settings import SettingsService
from bedplate.services.store.backend import Caller, Edit, Publication
from bedplate.services.store.errors import (
    ComponentNotFoundError,
    DigestMismatchError,
    StoreLimitError,
    VersionNotFoundError,
)
from bedplate.services.store.local_rows import download_of, version_of
from bedplate.services.store.local_search import LocalSearch, resolved_tags
from bedplate.services.store.local_versions import add_version, chosen, renew
from bedplate.services.store.models import Component, Download, Likes, Page, Query, Tag, Version, Which
from bedplate.services.store.validation import highest, slug_of, version_key
from bedplate.services.telemetry import TelemetryService

__all__ = ["LocalStore", "StoreLimits"]

_MOST_LIKES: Final = 10_000

_log = get_logger("bedplate.store")


class StoreLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much there may be of what; the tags are those that are always offered."""

    components: int
    versions: int
    tags: tuple[str, ...]


class LocalStore:
    """Components in the database, which all replicas share; versions are written once.

    Args:
        database: Keeps them.
        limits: How many there may be.
    """

    name = "local"
    needs_key = False
    public_reads = True

    def __init__(self, database: DatabaseService, limits: StoreLimits) -> None:
        self._database = database
        self._limits = limits
        self._search = LocalSearch(database, limits.tags)

    @classmethod
    def from_settings(
        cls,
        settings: SettingsService,
        _telemetry: TelemetryService,
        database: DatabaseService,
        _cache: CacheService,
    ) -> Self:
        """The catalogue in the database of the installation."""
        values = settings.values.store
        limits = StoreLimits(components=values.max_components_per_user, versions=values.max_versions, tags=values.tags)
        return cls(database, limits)

    async def publish(self, caller: Caller, new: Publication) -> Component:
        """See ``StoreBackend.publish``."""
        async with self._database.transaction() as session:
            component_id = await self._add(session, caller, new)
        return await self._search.one(caller.user_id, component_id)

    async def edit(self, caller: Caller, component_id: uuid.UUID, edit: Edit) -> Component:
        """See ``StoreBackend.edit``."""
        async with self._database.transaction() as session:
            store = StoreRepository(session, caller.user_id)
            row = await _own(store, component_id)
            await _set_parent(store, row, edit)
            for name in _PLAIN:
                if (value := getattr(edit, name)) is not UNSET:
                    setattr(row, name, value)
            row.name_key = row.name.casefold()
            if edit.tags is not UNSET:
                await store.set_tags(component_id, await resolved_tags(store, edit.tags, self._limits.tags))
            if edit.document is not UNSET:
                await renew(store, row, edit.document, edit, self._limits.versions)
            row.updated_at = utc_now()
            await store.flush()
        return await self._search.one(caller.user_id, component_id)

    async def delete(self, caller: Caller, component_id: uuid.UUID) -> None:
        """See ``StoreBackend.delete``."""
        async with self._database.transaction() as session:
            if not await StoreRepository(session, caller.user_id).delete(component_id):
                raise ComponentNotFoundError

    async def search(self, caller: Caller, query: Query) -> Page:
        """See ``StoreBackend.search``."""
        return await self._search.page(caller.user_id, query)

    async def versions(self, caller: Caller, component_id: uuid.UUID) -> Sequence[Version]:
        """See ``StoreBackend.versions``."""
        async with self._database.session() as session:
            store = StoreRepository(session, caller.user_id)
            await _visible(store, component_id)
            rows = await store.versions(component_id)
        return sorted(map(version_of, rows), key=lambda version: version_key(version.version), reverse=True)

    async def download(self, caller: Caller, component_id: uuid.UUID, which: Which) -> Download:
        """See ``StoreBackend.download``."""
        async with self._database.session() as session:
            store = StoreRepository(session, caller.user_id)
            component = await _visible(store, component_id)
            row = await chosen(store, component, which)
        await self._count(component_id)
        try:
            return download_of(component, row, orjson.loads(row.document))
        except orjson.JSONDecodeError:
            raise DigestMismatchError from None

    async def yank(self, caller: Caller, component_id: uuid.UUID, version: str, reason: str | None) -> Version:
        """See ``StoreBackend.yank``."""
        return await self._mark(caller, component_id, version, yanked=True, reason=reason)

    async def restore(self, caller: Caller, component_id: uuid.UUID, version: str) -> Version:
        """See ``StoreBackend.restore``."""
        return await self._mark(caller, component_id, version, yanked=False, reason=None)

    async def tags(self, caller: Caller | None) -> Sequence[Tag]:
        """See ``StoreBackend.tags``."""
        return await self._search.tags(caller.user_id if caller else None)

    async def liked(self, caller: Caller) -> Sequence[Likes]:
        """See ``StoreBackend.liked``."""
        async with self._database.session() as session:
            rows = await StoreLikesRepository(session, caller.user_id).all(_MOST_LIKES)
        return [Likes(component_id=component_id, likes=likes, liked=True) for component_id, likes in rows]

    async def like(self, caller: Caller, component_id: uuid.UUID, liked: bool | None) -> Likes:
        """See ``StoreBackend.like``."""
        async with self._database.transaction() as session:
            await lock_user(session, caller.user_id)
            await _visible(StoreRepository(session, caller.user_id), component_id)
            likes = StoreLikesRepository(session, caller.user_id)
            wanted = not await likes.has(component_id) if liked is None else liked
            await likes.set(component_id, liked=wanted)
            return Likes(component_id=component_id, likes=await likes.count(component_id), liked=wanted)

    async def check_key(self, caller: Caller) -> bool:
        """Any key will do: who is asking is known from the caller's credentials."""
        return True

    async def check(self) -> str | None:
        """The database looks after itself."""
        return None

    async def _add(self, session: AsyncSession, caller: Caller, new: Publication) -> uuid.UUID:
        await lock_user(session, caller.user_id)
        store = StoreRepository(session, caller.user_id)
        await store.alone()  # or two of one name would want the same slug, and both be the last that is allowed
        if await store.count() >= self._limits.components:
            raise StoreLimitError("components of yours", self._limits.components, "MAX_COMPONENTS_PER_USER")
        if new.parent is not None:
            await _visible(store, new.parent)
        row = StoreComponentRow(
            id=new_id(),
            user_id=caller.user_id,
            slug=slug_of(new.name, await store.slugs_like(slug_of(new.name, ()))),
            name=new.name,
            name_key=new.name.casefold(),
            description=new.description,
            is_component=new.is_component,
            private=new.private,
            parent_id=new.parent,
        )
        await store.add(row)
        await store.set_tags(row.id, await resolved_tags(store, new.tags, self._limits.tags))
        await add_version(store, row, new.document, new.version, new.last_tested_version, self._limits.versions)
        return row.id

    async def _mark(
        self, caller: Caller, component_id: uuid.UUID, version: str, *, yanked: bool, reason: str | None
    ) -> Version:
        async with self._database.transaction() as session:
            store = StoreRepository(session, caller.user_id)
            component = await _own(store, component_id)
            row = await store.yank(component_id, version, utc_now() if yanked else None, reason)
            if row is None:
                raise VersionNotFoundError
            component.latest = highest(await store.numbers(component_id, yanked=False))
            await store.flush()
        return version_of(row)

    async def _count(self, component_id: uuid.UUID) -> None:
        try:
            async with self._database.transaction() as session:
                await StoreRepository(session, None).count_download(component_id)
        except UnavailableError as error:
            # A statistic is not worth a download.
            _log.warning("a download could not be counted", component_id=str(component_id), error=error)


_PLAIN = ("name", "description", "is_component", "private")


async def _own(store: StoreRepository, component_id: uuid.UUID) -> StoreComponentRow:
    row = await store.own(component_id)
    if row is None:
        raise ComponentNotFoundError
    return row


async def _set_parent(store: StoreRepository, row: StoreComponentRow, edit: Edit) -> None:
    if edit.parent is UNSET or edit.parent == row.parent_id:
        return
    if edit.parent is not None and (edit.parent == row.id or await store.visible(edit.parent) is None):
        raise ComponentNotFoundError
    row.parent_id = edit.parent


async def _visible(store: StoreRepository, component_id: uuid.UUID) -> StoreComponentRow:
    row = await store.visible(component_id)
    if row is None:
        raise ComponentNotFoundError
    return row
