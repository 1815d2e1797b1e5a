"""Files in the lists of users."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["FileRow"]


class FileRow(Table, table=True):
    """A file of a user: what it is called (``name``, without extension) and where it is (``path``)."""

    __tablename__ = f"{PREFIX}file"
    __table_args__ = (sa.UniqueConstraint("user_id", "name"),)

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE")
    name: str
    path: str
    size: int = Field(sa_type=sa.BigInteger)
    provider: str | None = None
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
