"""Bodies about component types."""

from pydantic import BaseModel, ConfigDict

__all__ = ["ComponentOrigin", "ComponentReport", "Failure", "ReloadReport"]


class Failure(BaseModel):
    """Something that should have brought component types and did not."""

    model_config = ConfigDict(from_attributes=True)

    origin: str
    error: str


class ComponentOrigin(BaseModel):
    """A component type, and where it comes from."""

    name: str
    origin: str


class ComponentReport(BaseModel):
    """All component types, and what could not be loaded."""

    types: list[ComponentOrigin]
    failures: list[Failure]


class ReloadReport(BaseModel):
    """What loading the components anew has changed."""

    added: list[str]
    removed: list[str]
    failures: list[Failure]
    etag: str
