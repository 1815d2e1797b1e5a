"""Users of an issuer."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["IdentityRow"]


class IdentityRow(Table, table=True):
    """Who somebody of an OpenID Connect issuer is here."""

    __tablename__ = f"{PREFIX}identity"
    __table_args__ = (sa.UniqueConstraint("issuer", "subject"),)

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE", index=True)
    issuer: str
    subject: str
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
