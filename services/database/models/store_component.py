"""What is published in the store."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["StoreComponentRow"]


class StoreComponentRow(Table, table=True):
    """A component or flow in the store: what may change of it. What it consists of is in its versions."""

    __tablename__ = f"{PREFIX}store_component"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "slug"),
        sa.Index(None, "private", "name_key"),
        sa.Index(None, "private", "created_at"),
        sa.Index(None, "private", "updated_at"),
        sa.Index(None, "private", "downloads"),
    )

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE")
    slug: str
    """The last part of its id for people, ``<user name>/<slug>``; never changes."""
    name: str
    name_key: str
    """The name without case, to sort by."""
    description: str | None = Field(default=None, sa_type=sa.Text)
    is_component: bool = False
    private: bool = True
    parent_id: uuid.UUID | None = Field(
        default=None, foreign_key=f"{PREFIX}store_component.id", ondelete="SET NULL", index=True
    )
    latest: str | None = None
    """The version that is shown and downloaded where none is named; None when every one is yanked."""
    downloads: int = Field(default=0, sa_type=sa.BigInteger)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
