"""What crosses the boundary of the variable service."""

import uuid
from datetime import datetime
from enum import StrEnum

import msgspec
from pydantic import SecretStr

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
        version: Raised by each change; give it to a change to make sure that nobody else's comes between.
        created_at: When it was made.
        updated_at: When it was last changed.
    """

    id: uuid.UUID
    name: str
    type: VariableType
    value: str | None
    default_fields: tuple[str, ...]
    version: int
    created_at: datetime
    updated_at: datetime


class VariableVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a variable has or had.

    Attributes:
        version: The last version of the variable that has it: a rename, too, makes a new one.
        current: Whether it has this value now.
        type: Credential or Generic, as it was then.
        value: The value of a Generic one; None for a Credential, and where it cannot be decrypted.
        created_at: When that version was made.
    """

    version: int
    current: bool
    type: VariableType
    value: str | None
    created_at: datetime


class Revealed(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a variable, for its owner to read.

    Attributes:
        version: The version that has it.
        value: The value.
    """

    version: int
    value: SecretStr


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """How far a rotation of keys is.

    Attributes:
        key_id: The key that values are sealed with from now on.
        resealed: Values that were sealed with it, in this call.
        failed: Values that cannot be opened, and were left as they are.
        left: Values that are sealed with other keys still, the failed ones included.
    """

    key_id: str
    resealed: int
    failed: int
    left: int
