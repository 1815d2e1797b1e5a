"""Variables and the keys that they are encrypted with."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["EncryptionKeyRow", "VariableRow"]


class VariableRow(Table, table=True):
    """A variable of a user: the value is ciphertext, bound to owner and id."""

    __tablename__ = f"{PREFIX}variable"
    __table_args__ = (sa.UniqueConstraint("user_id", "name"),)

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE")
    name: str
    value: bytes
    type: str
    default_fields: list[str] | None = Field(default=None, sa_type=sa.JSON)
    key_id: str = Field(index=True)
    version: int = 1
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)


class EncryptionKeyRow(Table, table=True):
    """A key in use, known by its id, with a known text encrypted by it: the canary that a wrong key fails."""

    __tablename__ = f"{PREFIX}encryption_key"

    key_id: str = Field(primary_key=True)
    canary: bytes
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
