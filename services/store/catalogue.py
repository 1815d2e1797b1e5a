"""A catalogue of shared components and flows: its interface, and what is the same whatever keeps it."""

import uuid
from collections.abc import Callable, Sequence

import msgspec

from bedplate.services.settings.groups.store import StoreSettings
from bedplate.services.store.backend import Caller, Publication, StoreBackend
from bedplate.services.store.checking import Checker
from bedplate.services.store.errors import (
    ComponentNotFoundError,
    InvalidComponentError,
    StoreDisabledError,
    StoreKeyMissingError,
    UnreadableStoreKeyError,
)
from bedplate.services.store.keys import StoreKeys
from bedplate.services.store.models import (
    Changes,
    Component,
    Download,
    KeyStatus,
    Likes,
    NewComponent,
    Page,
    Query,
    Tag,
    Version,
    Which,
)
from bedplate.services.store.validation import check_text, checked_tags

__all__ = ["Catalogue", "Means"]

_MAX_PAGE = 2**31 - 1
_MAX_SEARCH = 1_000


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What catalogues share.

    Attributes:
        settings: Limits and policy.
        keys: Gives the keys of users, once the service is started.
        checker: Checks what is to be published, and what was downloaded.
        require_started: Raises unless the service is started.
    """

    settings: StoreSettings
    keys: Callable[[], StoreKeys]
    checker: Checker
    require_started: Callable[[], None]


class Catalogue:
    """Components and flows that users share.

    Whoever asks is the first argument of every method. What is private is seen by its owner alone: to everybody else
    it is missing. What is published was checked first: it is a flow, its fields for secrets are empty, and no secret
    stands anywhere else.

    Every method may raise:
        StoreDisabledError: The store is switched off.
        StoreKeyMissingError: The catalogue is a remote one, and the user has given no key for it.
        UnreadableStoreKeyError: The key of the user cannot be decrypted; nothing is sent then.
        UnavailableError: The service is not started, or the remote store does not answer.
    """

    def __init__(self, store: StoreBackend, means: Means) -> None:
        self._store = store
        self._means = means

    async def publish(self, user_id: uuid.UUID, new: NewComponent) -> Component:
        """Publish something, as private unless told otherwise.

        Raises:
            InvalidComponentError: A name, a tag, or the version is not a possible one.
            StoreDocumentError: The document is no flow.
            TooLargeError: The document is too large.
            StoreSecretError: A secret stands outside the fields for secrets.
            ComponentNotFoundError: There is no such parent.
            StoreLimitError: The user has as many components as allowed.
        """
        caller = await self._caller(user_id)
        edit = await self._means.checker.checked(
            user_id, Changes(**{name: getattr(new, name) for name in new.__struct_fields__})
        )
        values = {name: getattr(edit, name) for name in edit.__struct_fields__}
        return await self._store.publish(caller, Publication(**values))

    async def update(self, user_id: uuid.UUID, component_id: uuid.UUID, changes: Changes) -> Component:
        """Change something of one's own; a document other than the newest version's becomes a version after it.

        Raises:
            ComponentNotFoundError: It is not the user's, or there is no such parent.
            VersionExistsError: The version is there, with another document.
            InvalidComponentError, StoreDocumentError, TooLargeError, StoreSecretError, StoreLimitError: As for
                :meth:`publish`.
        """
        caller = await self._caller(user_id)
        return await self._store.edit(caller, component_id, await self._means.checker.checked(user_id, changes))

    async def delete(self, user_id: uuid.UUID, component_id: uuid.UUID) -> None:
        """Take something of one's own out of the catalogue, with all its versions and likes.

        Raises:
            ComponentNotFoundError: It is not the user's.
        """
        await self._store.delete(await self._caller(user_id), component_id)

    async def search(self, user_id: uuid.UUID, query: Query = Query()) -> Page:  # noqa: B008 - frozen
        """What matches, the latest changed first unless another order is asked for; at most ``max_page`` a page.

        Raises:
            InvalidComponentError: A number is not possible, or there are too many tags.
        """
        if not 1 <= query.page <= _MAX_PAGE or query.limit < 1:
            raise InvalidComponentError("there is no such page", fix="count pages from 1, with one component at least")
        check_text("the search", query.text, _MAX_SEARCH)
        checked = msgspec.structs.replace(
            query,
            tags=checked_tags(query.tags, self._means.settings.max_tags),
            limit=min(query.limit, self._means.settings.max_page),
        )
        return await self._store.search(await self._caller(user_id, reading=True), checked)

    async def get(self, user_id: uuid.UUID, component: uuid.UUID | str) -> Component:
        """One component by its id or its namespaced id.

        Raises:
            ComponentNotFoundError: There is none that the user may see.
        """
        page = await self.search(user_id, Query(component=str(component), limit=1))
        if not page.items:
            raise ComponentNotFoundError
        return page.items[0]

    async def versions(self, user_id: uuid.UUID, component_id: uuid.UUID) -> Sequence[Version]:
        """The versions of a component, the highest first.

        Raises:
            ComponentNotFoundError: There is no such component that the user may see.
        """
        return await self._store.versions(await self._caller(user_id, reading=True), component_id)

    async def download(self, user_id: uuid.UUID, component_id: uuid.UUID, which: Which = Which()) -> Download:  # noqa: B008 - frozen
        """A component with its document; counted. What arrives is what its digest says.

        Raises:
            ComponentNotFoundError: There is no such component that the user may see.
            VersionNotFoundError: It has no such version.
            VersionYankedError: That version is yanked, and neither its digest nor ``yanked`` was given.
            DigestMismatchError: The document is damaged.
        """
        got = await self._store.download(await self._caller(user_id, reading=True), component_id, which)
        await self._means.checker.verify(got)
        return got

    async def yank(
        self, user_id: uuid.UUID, component_id: uuid.UUID, version: str, reason: str | None = None
    ) -> Version:
        """Warn off a version of one's own: nobody gets it any more who does not insist. Doing so again changes nothing.

        Raises:
            ComponentNotFoundError: The component is not the user's.
            VersionNotFoundError: It has no such version.
            InvalidComponentError: The reason is too long.
        """
        caller = await self._caller(user_id)
        return await self._store.yank(caller, component_id, version, self._means.checker.reason(reason))

    async def restore(self, user_id: uuid.UUID, component_id: uuid.UUID, version: str) -> Version:
        """Undo :meth:`yank`; raises the same."""
        return await self._store.restore(await self._caller(user_id), component_id, version)

    async def tags(self, user_id: uuid.UUID | None = None) -> Sequence[Tag]:
        """The tags that are offered or in use, as far as the user, or who is nobody, may see what has them; by name."""
        if user_id is None:
            self._require()
            return await self._store.tags(None)
        return await self._store.tags(await self._caller(user_id, reading=True))

    async def liked(self, user_id: uuid.UUID) -> Sequence[Likes]:
        """What the user likes, the latest first."""
        return await self._store.liked(await self._caller(user_id))

    async def like(self, user_id: uuid.UUID, component_id: uuid.UUID) -> Likes:
        """Like a component; doing so again changes nothing.

        Raises:
            ComponentNotFoundError: There is no such component that the user may see.
        """
        return await self._store.like(await self._caller(user_id), component_id, True)

    async def unlike(self, user_id: uuid.UUID, component_id: uuid.UUID) -> Likes:
        """Like a component no longer; doing so again changes nothing. Raises as :meth:`like`."""
        return await self._store.like(await self._caller(user_id), component_id, False)

    async def toggle_like(self, user_id: uuid.UUID, component_id: uuid.UUID) -> Likes:
        """Like a component, or if the user does already, no longer. Raises as :meth:`like`."""
        return await self._store.like(await self._caller(user_id), component_id, None)

    async def require_key(self, user_id: uuid.UUID, *, shown: bool = False) -> None:
        """Raise unless the user has given a store key, or none is needed.

        Args:
            user_id: The user.
            shown: Whether who calls keeps the keys of its users itself, which is as good where any key will do.

        Raises:
            StoreKeyMissingError: The user has given none.
            UnreadableStoreKeyError: It cannot be decrypted.
        """
        self._require()
        needed = self._store.needs_key or (self._means.settings.require_key and not shown)
        if needed and await self._means.keys().get(user_id) is None:
            raise StoreKeyMissingError

    async def has_key(self, user_id: uuid.UUID) -> bool:
        """Whether the user has given a store key, or none is needed; whether the store takes it is not asked."""
        self._require()
        if not self._store.needs_key and not self._means.settings.require_key:
            return True
        try:
            return await self._means.keys().get(user_id) is not None
        except UnreadableStoreKeyError:
            return False

    async def key_status(self, user_id: uuid.UUID) -> KeyStatus:
        """Whether the user has given a store key, and whether the store takes it; yes to both where none is needed.

        Raises:
            UnavailableError: The remote store, which would know, does not answer.
        """
        self._require()
        if not self._store.needs_key and not self._means.settings.require_key:
            return KeyStatus(present=True, valid=True)
        try:
            key = await self._means.keys().get(user_id)
        except UnreadableStoreKeyError:
            return KeyStatus(present=True, valid=False)
        if key is None:
            return KeyStatus(present=False, valid=False)
        return KeyStatus(present=True, valid=await self._store.check_key(Caller(user_id=user_id, key=key)))

    async def _caller(self, user_id: uuid.UUID, *, reading: bool = False) -> Caller:
        self._require()
        if not self._store.needs_key:
            return Caller(user_id=user_id)
        key = await self._means.keys().get(user_id)
        if key is None and not (reading and self._store.public_reads):
            raise StoreKeyMissingError
        return Caller(user_id=user_id, key=key)

    def _require(self) -> None:
        self._means.require_started()
        if not self._means.settings.enabled:
            raise StoreDisabledError
