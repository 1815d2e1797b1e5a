"""Failed logins that are not forgotten yet."""

from datetime import datetime

from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table, UTCDateTime

__all__ = ["LoginThrottleRow"]


class LoginThrottleRow(Table, table=True):
    """How often logins failed for one account or from one address, whether there is such an account or not."""

    __tablename__ = f"{PREFIX}login_throttle"

    key: str = Field(primary_key=True)
    """A keyed hash of the name or address: people type passwords where the name belongs."""
    failures: int = Field(default=0)
    """Failures since the window began, or since the last lockout."""
    window_ends_at: datetime = Field(sa_type=UTCDateTime)
    lockouts: int = Field(default=0)
    locked_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime, index=True)
    """When all of it is forgotten."""
