"""The tables of the application, in SQLModel's common metadata: Bedplate's are in one of their own."""

import uuid

from sqlmodel import Field, SQLModel

__all__ = ["User"]


class User(SQLModel, table=True):
    """A customer; the account that they log in with is a user of Bedplate."""

    __tablename__ = "user"

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(unique=True)
    account_id: uuid.UUID = Field(index=True)
