"""Finding things in the catalogue of the database."""

import uuid
from collections.abc import Iterable, Sequence

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import StoreTagRow
from bedplate.services.database.repositories.store import StoreRepository
from bedplate.services.database.repositories.store_search import StoreFilter, StoreSearch
from bedplate.services.store.errors import ComponentNotFoundError, InvalidComponentError
from bedplate.services.store.local_rows import component_of
from bedplate.services.store.models import Component, Page, Query, Tag
from bedplate.services.store.validation import id_in, namespaced, tag_id
from bedplate.services.text import storable

__all__ = ["LocalSearch", "resolved_tags"]

_NEWEST_FIRST = (("updated", True),)


class LocalSearch:
    """Searches, and the tags that are offered.

    Args:
        database: Keeps the catalogue.
        offered: Names of tags that are always offered.
    """

    def __init__(self, database: DatabaseService, offered: Iterable[str]) -> None:
        self._database = database
        self._offered = {tag_id(name): name for name in offered}

    async def page(self, user_id: uuid.UUID, query: Query) -> Page:
        """What matches, as far as the user may see it; the latest changed first, unless another order is asked for."""
        which = _filter(query)
        if which is None:
            return Page(items=(), total=0)
        order = [(sort.value, down) for sort, down in query.sort] or _NEWEST_FIRST
        offset = (query.page - 1) * query.limit
        return await self._found(user_id, which, order, offset, query.limit)

    async def one(self, user_id: uuid.UUID, component_id: uuid.UUID) -> Component:
        """A component that the user may see.

        Raises:
            ComponentNotFoundError: There is none.
        """
        page = await self._found(user_id, StoreFilter(id=component_id), _NEWEST_FIRST, 0, 1)
        if not page.items:
            raise ComponentNotFoundError
        return page.items[0]

    async def tags(self, user_id: uuid.UUID | None) -> Sequence[Tag]:
        """The tags that are offered, and those of all components that the user sees, by name."""
        async with self._database.session() as session:
            used = await StoreRepository(session, user_id).tags()
        tags = [Tag(id=id_, name=name) for id_, name in {**used, **self._offered}.items()]
        return sorted(tags, key=lambda tag: (tag.name.casefold(), tag.id))

    async def _found(
        self,
        user_id: uuid.UUID,
        which: StoreFilter,
        order: Sequence[tuple[str, bool]],
        offset: int,
        limit: int,
    ) -> Page:
        async with self._database.session() as session:
            search = StoreSearch(session, user_id)
            rows = await search.page(which, order, offset=offset, limit=limit)
            total = len(rows) if not offset and len(rows) < limit else await search.count(which)
            tags: dict[uuid.UUID, list[StoreTagRow]] = {}
            for tag in await StoreRepository(session, user_id).tags_of(row.component.id for row in rows):
                tags.setdefault(tag.component_id, []).append(tag)
        items = tuple(component_of(row, tags.get(row.component.id, ())) for row in rows)
        return Page(items=items, total=total)


async def resolved_tags(store: StoreRepository, tags: Iterable[str], offered: Iterable[str]) -> dict[uuid.UUID, str]:
    """The names of tags by id; a tag may be given by name, or by the id of one that the user sees.

    Raises:
        InvalidComponentError: There is no tag with an id.
    """
    ids = {given: found for given in tags if (found := _whole_id(given)) is not None}
    known = {**await store.tags(), **{tag_id(name): name for name in offered}} if ids else {}
    if not set(ids.values()) <= known.keys():
        raise InvalidComponentError("there is no tag with this id", fix="send the name of a tag, or an id from /tags")
    names = [known[ids[given]] if given in ids else given for given in tags]
    return {tag_id(name): name for name in names}


def _filter(query: Query) -> StoreFilter | None:
    """What the database is asked for; None if nothing can match."""
    id_, name, text = None, None, query.text.strip() if query.text else None
    if query.component is not None:
        id_, name = id_in(query.component), _name(query.component)
        if id_ is None and name is None:
            return None
    elif text and (id_ := id_in(text)) is not None:
        text = None
    return StoreFilter(
        id=id_,
        name=name if id_ is None else None,
        text=storable(text),
        tags=[_whole_id(tag) or tag_id(tag) for tag in query.tags],
        is_component=query.is_component,
        public=query.private is None and not query.own and query.component is None,
        private=query.private,
        liked=query.liked,
        own=query.own,
    )


def _name(text: str) -> tuple[str, str] | None:
    found = namespaced(text)
    return None if found is None else (storable(found[0]), found[1])


def _whole_id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
