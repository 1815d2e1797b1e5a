"""Login sessions: families of refresh tokens."""

import uuid
from datetime import datetime

from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, new_id, utc_now

__all__ = ["AuthSessionRow"]


class AuthSessionRow(Table, table=True):
    """A family of single-use refresh tokens, from one login to its logout."""

    __tablename__ = f"{PREFIX}auth_session"

    id: uuid.UUID = Field(default_factory=new_id, primary_key=True)
    user_id: uuid.UUID = Field(foreign_key=f"{PREFIX}user.id", ondelete="CASCADE", index=True)
    kind: str = "token"
    """``token`` for a pair of JWTs, ``cookie`` for Bedplate's own session cookie."""
    current_jti: str
    """Id of the only refresh token of the family that is still good; of a cookie, the SHA-256 of its secret."""
    previous_jti: str | None = None
    rotated_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    last_used_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime, index=True)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    revoked_reason: str | None = None
    user_agent: str | None = None
    address: str | None = None
