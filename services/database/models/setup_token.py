"""The one-time token of the set-up."""

from datetime import datetime

from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime, utc_now

__all__ = ["SetupTokenRow"]


class SetupTokenRow(Table, table=True):
    """The hash of the token in the newest link to ``/setup``: one row at most, so that every replica accepts it."""

    __tablename__ = f"{PREFIX}setup_token"

    id: int = Field(default=1, primary_key=True)
    token_hash: str
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
