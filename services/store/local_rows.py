"""Rows of the catalogue as the values that the store gives."""

from collections.abc import Iterable
from typing import Any

from bedplate.services.database.models import StoreComponentRow, StoreTagRow, StoreVersionRow
from bedplate.services.database.repositories.store_search import Found
from bedplate.services.store.models import Component, Download, Tag, Version

__all__ = ["component_of", "download_of", "version_of"]


def component_of(found: Found, tags: Iterable[StoreTagRow]) -> Component:
    """A component that was found, with its tags."""
    row = found.component
    return Component(
        id=row.id,
        namespaced_id=f"{found.username}/{row.slug}",
        name=row.name,
        description=row.description,
        username=found.username,
        is_component=row.is_component,
        private=row.private,
        tags=tuple(Tag(id=tag.tag_id, name=tag.name) for tag in tags),
        parent=found.parent,
        likes=found.likes,
        liked=bool(found.liked),
        downloads=row.downloads,
        version=row.latest,
        digest=found.digest,
        summary=found.summary or {},
        last_tested_version=found.last_tested_version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def version_of(row: StoreVersionRow) -> Version:
    """A version without its document."""
    return Version(
        version=row.version,
        digest=row.digest,
        size=row.size,
        last_tested_version=row.last_tested_version,
        created_at=row.created_at,
        yanked_at=row.yanked_at,
        yank_reason=row.yank_reason,
    )


def download_of(component: StoreComponentRow, row: StoreVersionRow, data: dict[str, Any]) -> Download:
    """A component with the document of a version."""
    return Download(
        id=component.id,
        name=component.name,
        description=component.description,
        data=data,
        is_component=component.is_component,
        summary=row.summary,
        version=row.version,
        digest=row.digest,
        yanked=row.yanked_at is not None,
        yank_reason=row.yank_reason,
    )
