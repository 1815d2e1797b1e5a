"""Settings of the store service."""

from typing import Literal

from pydantic import Field

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["StoreSettings"]


class StoreSettings(ServiceSettings):
    """The catalogue of shared components and flows (``BEDPLATE_STORE__*``)."""

    backend: str = "local"
    """Where the catalogue is: ``local``, in the database; ``remote``, in another Bedplate; ``directus``, in a store
    with the API of Directus."""
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
    remote_url: str | None = None
    """Address of the remote store, such as ``https://bedplate.example``."""
    remote_timeout: Seconds = Field(default=10.0, gt=0)
    """Seconds that the remote store may be silent, or take to be connected to."""
    remote_total_timeout: Seconds = Field(default=25.0, gt=0)
    """Seconds that a call of the remote store may take in all, further attempts included."""
    remote_retries: int = Field(default=2, ge=0)
    """Most further attempts of a call that failed and may be repeated."""
    remote_retry_delay: Seconds = 0.2
    """Seconds before the first further attempt, at most; each later one waits up to twice as long."""
    remote_failures: int = Field(default=5, ge=0)
    """Failures in a row after which the remote store is left alone for a while; 0: it never is."""
    remote_reset_after: Seconds = 15.0
    """Seconds for which it is."""
    remote_cache_ttl: Seconds = 3600.0
    """Seconds for which answers are kept, to be used again when the remote store says that they still hold; 0: none."""
    remote_max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """Largest answer of the remote store."""
    remote_download_webhook: str | None = None
    """Where a ``directus`` store wants to be told of downloads; unset: they are not counted."""
    remote_like_webhook: str | None = None
    """Where a ``directus`` store wants to be told of likes; unset: nothing can be liked."""
