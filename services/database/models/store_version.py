"""The versions of what is published in the store."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, utc_now

__all__ = ["StoreVersionRow"]


class StoreVersionRow(Table, table=True):
    """A version: written once; only whether it is yanked may change."""

    __tablename__ = f"{PREFIX}store_version"

    component_id: uuid.UUID = Field(foreign_key=f"{PREFIX}store_component.id", ondelete="CASCADE", primary_key=True)
    version: str = Field(primary_key=True)
    digest: str
    """SHA-256 of ``document``, in hexadecimal."""
    size: int
    summary: dict[str, Any] = Field(sa_type=sa.JSON)
    """How many components of each kind the document has."""
    last_tested_version: str | None = None
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    yanked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    yank_reason: str | None = Field(default=None, sa_type=sa.Text)
    document: str = Field(sa_type=sa.Text)
    """The document as canonical JSON: the last column, so that SQLite reads the others without it."""
