"""Bodies of variables."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

__all__ = ["VariableCreate", "VariableRead", "VariableReveal", "VariableUpdate", "VariableValue", "VariableVersionRead"]


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


class VariableVersionRead(BaseModel):
    """A value that a variable has or had; ``value`` is null for a credential."""

    version: int
    current: bool
    type: str
    value: str | None = Field(default=None, repr=False)
    created_at: datetime


class VariableReveal(BaseModel):
    """Which value to reveal."""

    version: int | None = Field(default=None, ge=1, le=2**31 - 1)


class VariableValue(BaseModel):
    """A value in clear."""

    version: int
    value: str = Field(repr=False)
