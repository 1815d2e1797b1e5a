"""How searches are written for a Directus, and how its components are read."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from bedplate.services.store.models import Component, Query, Sort, Tag
from bedplate.services.store.validation import id_in

__all__ = ["FIELDS", "component_of", "filter_of", "sort_of"]

FIELDS = (
    "id,name,description,user_created.username,is_component,tags.tags_id.id,tags.tags_id.name,count(liked_by),"
    "count(downloads),metadata,last_tested_version,private,parent,date_created,date_updated"
)

_ME = {"_eq": "$CURRENT_USER"}
_SORTS: Mapping[Sort, str] = {
    Sort.NAME: "name",
    Sort.CREATED: "date_created",
    Sort.UPDATED: "date_updated",
    Sort.DOWNLOADS: "count(downloads)",
    Sort.LIKES: "count(liked_by)",
}


class _Username(msgspec.Struct):
    username: str | None = None


class _TagOf(msgspec.Struct):
    tags_id: Tag


class _Item(msgspec.Struct):
    """A component, as a Directus shows it."""

    id: uuid.UUID
    name: str
    description: str | None = None
    user_created: _Username | None = None
    is_component: bool | None = None
    tags: list[_TagOf] = []
    liked_by_count: int = 0
    downloads_count: int = 0
    metadata: dict[str, Any] | None = None
    last_tested_version: str | None = None
    private: bool | None = None
    parent: uuid.UUID | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None


def filter_of(query: Query, tags: Iterable[uuid.UUID], *, known: bool) -> dict[str, Any] | None:
    """The filter of a search; None if nothing can match.

    Args:
        query: What is searched for.
        tags: The ids of its tags.
        known: Whether the store knows who asks, which is needed for what is somebody's own.
    """
    if (query.own or query.liked or query.private) and not known:
        return None
    id_ = id_in(query.component if query.component is not None else query.text or "")
    if query.component is not None and id_ is None:
        return None
    public = query.private is None and not query.own and query.component is None
    candidates: list[tuple[object, dict[str, Any]]] = [
        (id_, {"id": {"_eq": str(id_)}}),
        (query.text and query.text.strip() and id_ is None, _text((query.text or "").strip())),
        (query.is_component is not None, {"is_component": {"_eq": query.is_component}}),
        (query.liked, {"liked_by": {"directus_users_id": _ME}}),
        (query.own or query.private, {"user_created": _ME}),
        (public or query.private is not None, {"private": {"_eq": bool(query.private)}}),
    ]
    conditions = [condition for wanted, condition in candidates if wanted]
    return {"_and": [*conditions, *map(_tag, tags)]}


def sort_of(query: Query) -> str:
    """The order of a search, the latest changed first unless another one is asked for; what is equal goes by id."""
    keys = [f"{'-' if down else ''}{_SORTS[key]}" for key, down in query.sort] or ["-date_updated"]
    return ",".join([*keys, "id"])


def component_of(item: Mapping[str, Any], liked: Collection[str] | None) -> Component:
    """A component of a list.

    Args:
        item: As the store gives it.
        liked: The ids of what the reader likes; None where that is not known.

    Raises:
        msgspec.ValidationError: It is none.
    """
    read = msgspec.convert(item, _Item)
    return Component(
        id=read.id,
        namespaced_id=None,
        name=read.name,
        description=read.description,
        username=read.user_created.username if read.user_created else None,
        is_component=read.is_component,
        private=read.private,
        tags=tuple(sorted((tag.tags_id for tag in read.tags), key=lambda tag: tag.name)),
        parent=read.parent,
        likes=read.liked_by_count,
        liked=None if liked is None else str(read.id) in liked,
        downloads=read.downloads_count,
        version=None,
        digest=None,
        summary=read.metadata or {},
        last_tested_version=read.last_tested_version,
        created_at=read.date_created,
        updated_at=read.date_updated,
    )


def _text(text: str) -> dict[str, Any]:
    contains = {"_icontains": text}
    return {
        "_or": [
            {"name": contains},
            {"description": contains},
            {"tags": {"tags_id": {"name": contains}}},
            {"user_created": {"username": contains}},
        ]
    }


def _tag(tag_id: uuid.UUID) -> dict[str, Any]:
    return {"tags": {"_some": {"tags_id": {"id": {"_eq": str(tag_id)}}}}}
