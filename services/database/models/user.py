"""Users."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["UserRow"]


class UserRow(Table, table=True):
    """A user; ``username_key`` is the case-folded name, so that names differing in case only are one."""

    __tablename__ = f"{PREFIX}user"

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    username: str
    username_key: str = Field(unique=True)
    password_hash: str
    profile_image: str | None = None
    is_active: bool = False
    is_superuser: bool = False
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime, index=True)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    last_login_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    store_api_key: str | None = None
    optins: dict[str, Any] | None = Field(default=None, sa_type=sa.JSON)
    token_version: int = 0
    """Raised by password change and deactivation: a login that was being verified meanwhile is not let in."""
