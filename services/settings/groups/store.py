"""Settings of the store service."""

from typing import Literal

from pydantic import Field

from bedplate.services.settings.groups.base import ServiceSettings

__all__ = ["StoreSettings"]


class StoreSettings(ServiceSettings):
    """The catalogue of shared components and flows (``BEDPLATE_STORE__*``)."""

    backend: str = "local"
    """Where the catalogue is: ``local``, in the database."""
    enabled: bool = True
    """Whether there is a store; if not, its routes answer 404."""
    require_key: bool = True
    """Whether users must save a store key before they publish, download or like, as existing clients expect."""
    on_leak: Literal["refuse", "mask"] = "refuse"
    """What happens to what holds a secret outside the fields for secrets, which are always emptied."""
    tags: tuple[str, ...] = ("Agents", "Chatbots", "Data", "Memory", "Models", "Prompts", "RAG", "Tools")
    """Tags that are always offered, beside those in use."""
    max_document_bytes: int = Field(default=4 * 1024 * 1024, ge=1)
    """Largest document, as canonical JSON."""
    max_components_per_user: int = Field(default=1_000, ge=1)
    """Most components that a user may have in the catalogue."""
    max_versions: int = Field(default=1_000, ge=1)
    """Most versions of a component."""
    max_tags: int = Field(default=20, ge=0)
    """Most tags of a component."""
    max_page: int = Field(default=100, ge=1)
    """Most components of one page of a search."""
    threads: int = Field(default=1, ge=1)
    """Documents that are checked for secrets at once."""
