"""Settings of the cache service."""

from pydantic import Field

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["CacheSettings"]


class CacheSettings(ServiceSettings):
    """The cache (``BEDPLATE_CACHE__*``)."""

    backend: str = "memory"
    """Where values are kept: ``memory`` or ``disk``."""
    ttl: Seconds = 3600.0
    """Seconds that a value lives when the caller names no time."""
    ttl_jitter: float = Field(default=0.05, ge=0, lt=1)
    """Share of the time to live by which it is shortened at random, so that values set together do not end together."""
    max_entries: int = Field(default=10_000, ge=1)
    """Most entries kept; the least recently used go first."""
    max_bytes: int = Field(default=256 * 1024 * 1024, ge=1)
    """Most bytes of encoded values kept."""
