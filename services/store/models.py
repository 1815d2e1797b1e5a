"""Values that cross the boundary of the store service."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

__all__ = [
    "Changes",
    "Component",
    "Download",
    "KeyStatus",
    "Likes",
    "NewComponent",
    "Page",
    "Query",
    "Sort",
    "Tag",
    "Version",
    "Which",
]


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """A tag; names that differ in case only are one tag, and have one id everywhere."""

    id: uuid.UUID
    name: str


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A component or flow in the store, as its reader may see it.

    Attributes:
        id: Its id.
        namespaced_id: Its id for people: the name of its owner, a slash, and a slug of its first name; None where the
            store has none.
        username: Its owner, as far as the store tells.
        is_component: Whether it is a single component rather than a flow.
        private: Whether its owner alone sees it.
        tags: By name.
        parent: What it was made from; None too where the reader may not see that.
        likes: How many users like it.
        liked: Whether the reader does; None where the store does not tell.
        downloads: How often it was downloaded.
        version: The version that a download gives; None when every one is yanked, or the store has none.
        digest: Of that version: SHA-256 of the document as canonical JSON, in hexadecimal.
        summary: How many components of each kind that version has, and ``total``.
        last_tested_version: Of what its publisher tried that version with.
    """

    id: uuid.UUID
    namespaced_id: str | None
    name: str
    description: str | None
    username: str | None
    is_component: bool | None
    private: bool | None
    tags: tuple[Tag, ...]
    parent: uuid.UUID | None
    likes: int
    liked: bool | None
    downloads: int
    version: str | None
    digest: str | None
    summary: Mapping[str, Any]
    last_tested_version: str | None
    created_at: datetime | None
    updated_at: datetime | None


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a component; nothing of it ever changes, save whether it is yanked.

    Attributes:
        version: Semantic version (2.0.0).
        digest: SHA-256 of the document as canonical JSON, in hexadecimal.
        size: Bytes of that JSON.
        yanked_at: When it was yanked: it is downloaded only by who names its digest, or asks for yanked ones.
        yank_reason: Why, as its owner says.
    """

    version: str
    digest: str
    size: int
    last_tested_version: str | None
    created_at: datetime
    yanked_at: datetime | None
    yank_reason: str | None


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Which version of a component is meant; the newest one that is not yanked, if nothing is said.

    Attributes:
        version: The one with this number.
        digest: The one with this digest, yanked or not; with ``version`` too, both must fit.
        yanked: Whether a yanked one will do.
    """

    version: str | None = None
    digest: str | None = None
    yanked: bool = False


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """A component with the document of one version; see :class:`Component`.

    Attributes:
        data: The document.
        version: The version; None where the store has none.
        digest: SHA-256 of the document as canonical JSON, which was checked.
        yank_reason: Why that version was yanked; None: it was not, or for no given reason.
    """

    id: uuid.UUID
    name: str
    description: str | None
    data: dict[str, Any]
    is_component: bool
    summary: Mapping[str, Any]
    version: str | None
    digest: str
    yanked: bool = False
    yank_reason: str | None = None


class NewComponent(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be published.

    Attributes:
        tags: Names of tags, or ids of tags that are there.
        parent: What it was made from: something in the store that the publisher may see.
        version: Its semantic version; None: 1.0.0.
    """

    name: str
    data: dict[str, Any]
    description: str | None = None
    tags: tuple[str, ...] = ()
    parent: uuid.UUID | None = None
    is_component: bool = False
    last_tested_version: str | None = None
    private: bool = True
    version: str | None = None


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a component; unset fields stay as they are.

    Attributes:
        data: A document other than that of the newest version becomes a new version.
        version: The number of that version; unset or None: the patch after the highest one.
    """

    name: str | UnsetType = UNSET
    data: dict[str, Any] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    parent: uuid.UUID | UnsetType | None = UNSET
    is_component: bool | UnsetType = UNSET
    last_tested_version: str | UnsetType | None = UNSET
    private: bool | UnsetType = UNSET
    version: str | UnsetType | None = UNSET


class Sort(StrEnum):
    """What a search can be sorted by."""

    NAME = "name"
    CREATED = "created"
    UPDATED = "updated"
    DOWNLOADS = "downloads"
    LIKES = "likes"


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for; None and False do not filter.

    What is private is found by its owner alone, and only by one of ``own``, ``private`` or ``component``.

    Attributes:
        text: Stands in the name, the description, a tag or the owner's name, whatever the case. An id, a namespaced
            id, or an address with an id in it, finds that one.
        component: The one with this id or namespaced id.
        tags: Names or ids of tags, all of which it has.
        is_component: Components alone, or flows alone.
        private: What is private, which is the searcher's own, or what is not.
        liked: What the searcher likes.
        own: What the searcher published.
        sort: By what, each with whether it goes downwards.
        page: Which page, from 1.
        limit: How many a page has.
    """

    text: str | None = None
    component: str | None = None
    tags: tuple[str, ...] = ()
    is_component: bool | None = None
    private: bool | None = None
    liked: bool = False
    own: bool = False
    sort: tuple[tuple[Sort, bool], ...] = ()
    page: int = 1
    limit: int = 10


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some of what a search found, and how many it found in all."""

    items: tuple[Component, ...]
    total: int


class Likes(msgspec.Struct, frozen=True, kw_only=True):
    """Who likes a component: how many, and whether the reader is one of them."""

    component_id: uuid.UUID
    likes: int
    liked: bool


class KeyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a user has given a store key, and whether the store takes it."""

    present: bool
    valid: bool
