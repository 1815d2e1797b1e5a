"""Variables, their earlier values, and the keys that both are encrypted with."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["EncryptionKeyRow", "VariableRow", "VariableVersionRow"]


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


class VariableVersionRow(Table, table=True):
    """What a variable was before a change: ciphertext as well, bound to the same owner and variable."""

    __tablename__ = f"{PREFIX}variable_version"
    __table_args__ = (sa.UniqueConstraint("variable_id", "version"),)

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    variable_id: uuid.UUID = Field(foreign_key=f"{PREFIX}variable.id", ondelete="CASCADE")
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE", index=True)
    version: int
    value: bytes
    type: str
    key_id: str = Field(index=True)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime, index=True)
    """When that version of the variable was made."""


class EncryptionKeyRow(Table, table=True):
    """A key in use, known by its id, with a known text encrypted by it: the canary that a wrong key fails.

    The key itself is derived from the secret key of the same id, or, where ``wrapped`` stands, random and encrypted
    by that of the id in it.
    """

    __tablename__ = f"{PREFIX}encryption_key"

    key_id: str = Field(primary_key=True)
    canary: bytes
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    wrapped: bytes | None = None
