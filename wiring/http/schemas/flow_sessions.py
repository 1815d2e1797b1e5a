"""Bodies of sessions that flows are run in."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from bedplate.services.session import SessionStatus

__all__ = ["FlowSessionRead", "FlowSessionUpdate"]


class FlowSessionRead(BaseModel):
    """A session of a flow."""

    flow_id: UUID
    session_id: str
    name: str | None
    status: SessionStatus
    runs: int
    started_at: datetime
    last_active_at: datetime


class FlowSessionUpdate(BaseModel):
    """Which session of the flow, and what people call it."""

    model_config = ConfigDict(extra="forbid")

    session_id: str = Field(min_length=1)
    name: str | None
