"""What the store service asks of a backend: to keep what was checked, and to find it again."""

import uuid
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import SecretStr

from bedplate.services.store.models import Component, Download, Likes, Page, Query, Tag, Version, Which

__all__ = ["Caller", "Document", "Edit", "Publication", "StoreBackend"]


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks.

    Attributes:
        user_id: The user, of this Bedplate.
        key: The user's store key; None where the user has given none.
    """

    user_id: uuid.UUID
    key: SecretStr | None = None

    def __repr__(self) -> str:
        return f"Caller(user_id={self.user_id})"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is fit to be published.

    Attributes:
        data: Its content.
        text: The same as canonical JSON: keys sorted, no white space, UTF-8.
        digest: SHA-256 of that, in hexadecimal.
        summary: How many components of each kind it has, and ``total``.
    """

    data: dict[str, Any]
    text: bytes
    digest: str
    summary: dict[str, Any]


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What to publish, checked; see ``NewComponent``."""

    name: str
    document: Document
    description: str | None
    tags: tuple[str, ...]
    parent: uuid.UUID | None
    is_component: bool
    last_tested_version: str | None
    private: bool
    version: str | None


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What to change, checked; see ``Changes``."""

    name: str | UnsetType = UNSET
    document: Document | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    parent: uuid.UUID | UnsetType | None = UNSET
    is_component: bool | UnsetType = UNSET
    last_tested_version: str | UnsetType | None = UNSET
    private: bool | UnsetType = UNSET
    version: str | UnsetType | None = UNSET


class StoreBackend(Protocol):
    """A catalogue. What a caller may not see is missing: ``ComponentNotFoundError``.

    Attributes:
        name: What the setting calls it.
        needs_key: Whether calls must bear the key of the caller.
        public_reads: Whether those that only read may do without.
    """

    name: str
    needs_key: bool
    public_reads: bool

    async def publish(self, caller: Caller, new: Publication) -> Component:
        """Add a component, owned by the caller, with its first version."""
        ...

    async def edit(self, caller: Caller, component_id: uuid.UUID, edit: Edit) -> Component:
        """Change a component of the caller's."""
        ...

    async def delete(self, caller: Caller, component_id: uuid.UUID) -> None:
        """Delete a component of the caller's with its versions."""
        ...

    async def search(self, caller: Caller, query: Query) -> Page:
        """What matches, as far as the caller may see it."""
        ...

    async def versions(self, caller: Caller, component_id: uuid.UUID) -> Sequence[Version]:
        """The versions of a component, the highest first."""
        ...

    async def download(self, caller: Caller, component_id: uuid.UUID, which: Which) -> Download:
        """A component with the document of a version; counted."""
        ...

    async def yank(self, caller: Caller, component_id: uuid.UUID, version: str, reason: str | None) -> Version:
        """Yank a version of a component of the caller's; the first reason stays."""
        ...

    async def restore(self, caller: Caller, component_id: uuid.UUID, version: str) -> Version:
        """Undo a yank."""
        ...

    async def tags(self, caller: Caller | None) -> Sequence[Tag]:
        """The tags that the caller, or who is nobody, can see, by name."""
        ...

    async def liked(self, caller: Caller) -> Sequence[Likes]:
        """What the caller likes."""
        ...

    async def like(self, caller: Caller, component_id: uuid.UUID, liked: bool | None) -> Likes:
        """Like a component, like it no longer, or None: the other of the two."""
        ...

    async def check_key(self, caller: Caller) -> bool:
        """Whether the store takes the key of the caller, which is there."""
        ...

    async def check(self) -> str | None:
        """Why the backend does not work well; None if it does."""
        ...
