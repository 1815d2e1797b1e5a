"""API keys."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["ApiKeyRow"]


class ApiKeyRow(Table, table=True):
    """An API key: the hash of its secret and the characters by which its owner recognises it."""

    __tablename__ = f"{PREFIX}api_key"

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE", index=True)
    name: str | None = None
    prefix: str
    length: int
    key_hash: str = Field(unique=True)
    is_active: bool = True
    total_uses: int = 0
    last_used_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    expires_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    scopes: list[str] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    """What it is limited to; null: nothing."""
