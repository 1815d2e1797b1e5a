"""What crosses the boundary of the variable service."""

import uuid
from datetime import datetime
from enum import StrEnum

import msgspec

__all__ = ["Variable", "VariableType"]


class VariableType(StrEnum):
    """Whether the owner may read the value back; both kinds are encrypted at rest."""

    CREDENTIAL = "Credential"
    GENERIC = "Generic"

    @classmethod
    def _missing_(cls, value: object) -> "VariableType | None":
        folded = value.casefold() if isinstance(value, str) else value
        return next((member for member in cls if member.casefold() == folded), None)


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A variable of a user.

    Attributes:
        id: Its id, which a rename does not change.
        name: Unique among the variables of the owner.
        type: Credential or Generic.
        value: The value of a Generic one; None for a Credential, and where it cannot be decrypted.
        default_fields: Names of component fields that it fills by default.
        created_at: When it was made.
        updated_at: When it was last changed.
    """

    id: uuid.UUID
    name: str
    type: VariableType
    value: str | None
    default_fields: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
