"""Lists of the store: what can be asked for, and what is answered."""

from collections.abc import Sequence

from bedplate.services.store import Component, InvalidComponentError, Sort
from bedplate.wiring.http.schemas.store import ListComponentResponse, TagResponse

__all__ = ["field_of", "listed", "listing", "sort_of"]

_SORTS = {
    "name": Sort.NAME,
    "date_created": Sort.CREATED,
    "date_updated": Sort.UPDATED,
    "downloads_count": Sort.DOWNLOADS,
    "count(downloads)": Sort.DOWNLOADS,
    "liked_by_count": Sort.LIKES,
    "count(liked_by)": Sort.LIKES,
}
_FIELDS = {"count(liked_by)": "liked_by_count", "count(downloads)": "downloads_count"}


def listed(values: Sequence[str] | None) -> list[str]:
    """The values of a parameter that may be repeated, or hold several with commas between."""
    return [part.strip() for value in values or () for part in value.split(",") if part.strip()]


def sort_of(text: str) -> tuple[Sort, bool]:
    """What to sort by, and whether downwards.

    Raises:
        InvalidComponentError: The store cannot be sorted by that.
    """
    key = _SORTS.get(text.removeprefix("-"))
    if key is None:
        raise InvalidComponentError(
            "the store cannot be sorted by that", fix=f"use one of {', '.join(_SORTS)}, with - before it to go down"
        )
    return key, text.startswith("-")


def field_of(text: str) -> str:
    """The member of the answer that a field stands for: ``tags.tags_id.name`` asks for the tags.

    Raises:
        InvalidComponentError: There is no such field.
    """
    name = _FIELDS.get(text, text.partition(".")[0])
    if name != "*" and name not in ListComponentResponse.model_fields:
        raise InvalidComponentError(
            "the store has no such field", fix=f"use {', '.join(ListComponentResponse.model_fields)}"
        )
    return name


def listing(component: Component, wanted: set[str]) -> ListComponentResponse:
    """A component as it is listed; what is not wanted is null, where anything is said to be."""
    known = {
        "id": component.id,
        "name": component.name,
        "description": component.description,
        "liked_by_count": component.likes,
        "liked_by_user": component.liked,
        "is_component": component.is_component,
        "metadata": dict(component.summary),
        "user_created": {"username": component.username},
        "tags": [TagResponse(id=tag.id, name=tag.name) for tag in component.tags],
        "downloads_count": component.downloads,
        "last_tested_version": component.last_tested_version,
        "private": component.private,
        "namespaced_id": component.namespaced_id,
        "parent": component.parent,
        "version": component.version,
        "digest": component.digest,
        "date_created": component.created_at,
        "date_updated": component.updated_at,
    }
    if wanted and "*" not in wanted:
        known = {name: value if name in wanted else None for name, value in known.items()}
    return ListComponentResponse.model_validate(known)
