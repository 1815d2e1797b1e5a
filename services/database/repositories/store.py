"""Queries over what is published in the store: components, versions, tags."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import defer
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bedplate.services.database.models import StoreComponentRow, StoreTagRow, StoreVersionRow, UserRow
from bedplate.services.database.violations import violations

__all__ = ["StoreRepository"]


class StoreRepository:
    """What one user sees of the store: what is public, and what is the user's own.

    Args:
        session: The session or transaction to work in.
        user_id: The user; None for who is nobody.
    """

    def __init__(self, session: AsyncSession, user_id: uuid.UUID | None) -> None:
        self._session = session
        self._user_id = user_id

    async def add(self, row: StoreComponentRow | StoreVersionRow) -> None:
        """Insert a component or a version.

        Raises:
            UniqueViolationError: The user has a component with this slug, or the component has this version.
        """
        self._session.add(row)
        await self.flush()

    async def flush(self) -> None:
        """Write what was changed."""
        with violations():
            await self._session.flush()

    async def alone(self) -> None:
        """Let the user publish one thing at a time: until the end of the transaction, others that ask for this wait."""
        # Rows that refer to the user may be added meanwhile: they take no more than a share of its key.
        statement = select(UserRow.id).where(col(UserRow.id) == self._user_id).with_for_update(key_share=True)
        await self._session.exec(statement)

    async def own(self, component_id: uuid.UUID) -> StoreComponentRow | None:
        """The component, if it is the user's; nobody else changes it until the transaction ends."""
        statement = select(StoreComponentRow).where(
            col(StoreComponentRow.id) == component_id, col(StoreComponentRow.user_id) == self._user_id
        )
        return (await self._session.exec(statement.with_for_update())).one_or_none()

    async def visible(self, component_id: uuid.UUID) -> StoreComponentRow | None:
        """The component, if the user may see it."""
        statement = select(StoreComponentRow).where(col(StoreComponentRow.id) == component_id, self.sees)
        return (await self._session.exec(statement)).one_or_none()

    async def delete(self, component_id: uuid.UUID) -> bool:
        """Delete a component; return whether it was the user's."""
        mine = (col(StoreComponentRow.id) == component_id, col(StoreComponentRow.user_id) == self._user_id)
        return (await self._session.exec(sa.delete(StoreComponentRow).where(*mine))).rowcount == 1

    async def count(self) -> int:
        """How many components are the user's."""
        mine = col(StoreComponentRow.user_id) == self._user_id
        return (await self._session.exec(select(sa.func.count()).select_from(StoreComponentRow).where(mine))).one()

    async def slugs_like(self, slug: str) -> Sequence[str]:
        """The slugs of the user that begin with this one."""
        statement = select(StoreComponentRow.slug).where(
            col(StoreComponentRow.user_id) == self._user_id, col(StoreComponentRow.slug).startswith(slug)
        )
        return (await self._session.exec(statement)).all()

    async def count_download(self, component_id: uuid.UUID) -> None:
        """Count one more download."""
        downloads = col(StoreComponentRow.downloads)
        statement = sa.update(StoreComponentRow).where(col(StoreComponentRow.id) == component_id)
        await self._session.exec(statement.values(downloads=downloads + 1).execution_options(synchronize_session=False))

    async def numbers(self, component_id: uuid.UUID, *, yanked: bool = True) -> Sequence[str]:
        """The version numbers of a component, those of yanked ones too unless told otherwise."""
        statement = select(StoreVersionRow.version).where(col(StoreVersionRow.component_id) == component_id)
        if not yanked:
            statement = statement.where(col(StoreVersionRow.yanked_at).is_(None))
        return (await self._session.exec(statement)).all()

    async def version(self, component_id: uuid.UUID, version: str | None) -> StoreVersionRow | None:
        """A version of a component, with its document."""
        return None if version is None else await self._session.get(StoreVersionRow, (component_id, version))

    async def by_digest(self, component_id: uuid.UUID, digest: str) -> StoreVersionRow | None:
        """The first version with this digest, with its document; one that is not yanked goes first."""
        statement = (
            select(StoreVersionRow)
            .where(col(StoreVersionRow.component_id) == component_id, col(StoreVersionRow.digest) == digest)
            .order_by(col(StoreVersionRow.yanked_at).is_not(None), col(StoreVersionRow.created_at))
            .limit(1)
        )
        return (await self._session.exec(statement)).one_or_none()

    async def versions(self, component_id: uuid.UUID) -> Sequence[StoreVersionRow]:
        """All versions of a component without their documents."""
        statement = (
            select(StoreVersionRow)
            .where(col(StoreVersionRow.component_id) == component_id)
            .options(defer(StoreVersionRow.document, raiseload=True))  # type: ignore[arg-type]  # a column
        )
        return (await self._session.exec(statement)).all()

    async def yank(
        self, component_id: uuid.UUID, version: str, at: datetime | None, reason: str | None
    ) -> StoreVersionRow | None:
        """Mark a version as yanked, if it is not yet, or with ``at`` None as not yanked; None if there is none."""
        row = await self.version(component_id, version)
        if row is not None and (at is None or row.yanked_at is None):
            row.yanked_at, row.yank_reason = at, reason
            await self._session.flush()
        return row

    async def set_tags(self, component_id: uuid.UUID, tags: Mapping[uuid.UUID, str]) -> None:
        """Give a component these tags, by id, and no others."""
        await self._session.exec(sa.delete(StoreTagRow).where(col(StoreTagRow.component_id) == component_id))
        self._session.add_all(
            StoreTagRow(component_id=component_id, tag_id=tag_id, name=name) for tag_id, name in tags.items()
        )
        await self._session.flush()

    async def tags(self) -> dict[uuid.UUID, str]:
        """The tags of all components that the user sees, by id."""
        statement = (
            select(StoreTagRow.tag_id, sa.func.min(StoreTagRow.name))
            .join(StoreComponentRow, col(StoreComponentRow.id) == col(StoreTagRow.component_id))
            .where(self.sees)
            .group_by(col(StoreTagRow.tag_id))
        )
        return dict((await self._session.exec(statement)).all())

    async def tags_of(self, component_ids: Iterable[uuid.UUID]) -> Sequence[StoreTagRow]:
        """The tags of these components, by name."""
        statement = select(StoreTagRow).where(col(StoreTagRow.component_id).in_(list(component_ids)))
        return (await self._session.exec(statement.order_by(col(StoreTagRow.name)))).all()

    @property
    def sees(self) -> sa.ColumnElement[bool]:
        """The condition on components that the user may see them."""
        public = col(StoreComponentRow.private).is_(False)
        return public if self._user_id is None else sa.or_(public, col(StoreComponentRow.user_id) == self._user_id)
