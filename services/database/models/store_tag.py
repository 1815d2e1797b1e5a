"""The tags of what is published in the store."""

import uuid

from sqlmodel import Field

from bedplate.services.database.models.base import PREFIX, Table

__all__ = ["StoreTagRow"]


class StoreTagRow(Table, table=True):
    """A tag of a component; its id follows from its name, so that equal names are one tag everywhere."""

    __tablename__ = f"{PREFIX}store_tag"

    component_id: uuid.UUID = Field(foreign_key=f"{PREFIX}store_component.id", ondelete="CASCADE", primary_key=True)
    tag_id: uuid.UUID = Field(primary_key=True, index=True)
    name: str
