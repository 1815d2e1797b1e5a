"""Files whose content is kept as objects elsewhere, and the objects that are to be removed."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime

__all__ = ["StoredFileRow", "StoredWasteRow"]


class StoredFileRow(Table, table=True):
    """A file in a namespace; its content is the object ``key``, which never changes."""

    __tablename__ = f"{PREFIX}stored_file"
    __table_args__ = (sa.UniqueConstraint("owner_id", "kind", "of_id", "name"),)

    key: uuid.UUID = Field(primary_key=True)
    owner_id: uuid.UUID
    kind: str
    of_id: uuid.UUID
    name: bytes
    """The name in UTF-8: bytes sort alike in every database and under every locale."""
    size: int = Field(sa_type=sa.BigInteger)
    sha256: str
    info: bytes
    """The metadata, encoded."""
    modified_at: datetime = Field(sa_type=UTCDateTime)


class StoredWasteRow(Table, table=True):
    """An object that belongs to no file, and is removed when it is due: of an upload, or of a file that went."""

    __tablename__ = f"{PREFIX}stored_waste"
    __table_args__ = (sa.Index(None, "due_at"),)

    key: uuid.UUID = Field(primary_key=True)
    uploading: bool
    """Whether it is of an upload that may still be under way."""
    due_at: datetime = Field(sa_type=UTCDateTime)
