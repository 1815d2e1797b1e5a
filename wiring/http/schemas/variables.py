"""Bodies of variables."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

__all__ = ["VariableCreate", "VariableRead", "VariableUpdate"]


class VariableCreate(BaseModel):
    """A variable to make."""

    name: str
    value: str = Field(repr=False)
    default_fields: list[str] | None
    type: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class VariableRead(BaseModel):
    """A variable; ``value`` is null for a credential."""

    id: UUID
    name: str | None = None
    type: str | None = None
    value: str | None = Field(default=None, repr=False)
    default_fields: list[str] | None = None


class VariableUpdate(BaseModel):
    """What to change of a variable."""

    id: UUID
    name: str | None = None
    value: str | None = Field(default=None, repr=False)
    default_fields: list[str] | None = None
