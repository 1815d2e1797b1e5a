"""Bodies of builds and transactions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

__all__ = ["TransactionRead", "VertexBuildMap", "VertexBuildRead"]


class VertexBuildRead(BaseModel):
    """The result of building a vertex."""

    model_config = ConfigDict(from_attributes=True)

    timestamp: datetime
    id: str
    data: dict[str, Any] | None = None
    artifacts: dict[str, Any] | None = None
    params: str | None = None
    valid: bool
    flow_id: UUID
    build_id: UUID | None = None


class VertexBuildMap(BaseModel):
    """Builds by vertex."""

    vertex_builds: dict[str, list[VertexBuildRead]]


class TransactionRead(BaseModel):
    """What a vertex received and gave."""

    model_config = ConfigDict(from_attributes=True)

    timestamp: datetime
    vertex_id: str
    target_id: str | None = None
    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    status: str
    error: str | None = None
    flow_id: UUID
    id: UUID | None = None
