"""Settings of the cache service."""

from pydantic import Field

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["CacheSettings"]


class CacheSettings(ServiceSettings):
    """The cache (``BEDPLATE_CACHE__*``)."""

    backend: str = "memory"
    """Where values are kept: ``memory`` or ``disk``."""
    ttl: Seconds = 3600.0
    """Seconds that a value lives when the caller names no time; 0: until it is evicted."""
    ttl_jitter: float = Field(default=0.05, ge=0, lt=1)
    """Share of the time to live by which it is shortened at random, so that values set together do not end together."""
    max_entries: int = Field(default=10_000, ge=1)
    """Most entries kept; the least recently used go first."""
    max_bytes: int = Field(default=256 * 1024 * 1024, ge=1)
    """Most bytes of keys and encoded values kept; the least recently used go first."""
    max_value_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    """Largest encoded value, with its key; never more than ``max_bytes``."""
    max_key_bytes: int = Field(default=1024, ge=1)
    """Longest key, in bytes of UTF-8."""
    max_namespaces: int = Field(default=1000, ge=1)
    """Most namespaces; what varies without bound belongs into the key."""
    purge_interval: float = Field(default=60.0, gt=0)
    """Seconds between two rounds of removing what has expired."""
    busy_timeout: Seconds = 5.0
    """Seconds that the disk backend waits for another process that is writing to its file."""
