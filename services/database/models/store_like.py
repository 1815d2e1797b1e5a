"""Who likes what in the store."""

import uuid
from datetime import datetime

from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, utc_now

__all__ = ["StoreLikeRow"]


class StoreLikeRow(Table, table=True):
    """A user likes a component."""

    __tablename__ = f"{PREFIX}store_like"

    component_id: uuid.UUID = Field(foreign_key=f"{PREFIX}store_component.id", ondelete="CASCADE", primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE", primary_key=True, index=True)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
