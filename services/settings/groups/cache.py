"""Settings of the cache service."""

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["CacheSettings"]


class CacheSettings(ServiceSettings):
    """The cache (``BEDPLATE_CACHE__*``)."""

    backend: str = "memory"
    """Where values are kept: ``memory``, ``disk``, ``redis``, or ``two_tier``: in memory over Redis."""
    redis_url: SecretStr | None = None
    """URL of a Redis server of its own; unset: that of ``BEDPLATE_REDIS__URL``."""
    ttl: Seconds = 3600.0
    """Seconds that a value lives when the caller names no time; 0: until it is evicted."""
    ttl_jitter: float = Field(default=0.05, ge=0, lt=1)
    """Share of the time to live by which it is shortened at random, so that values set together do not end together."""
    max_entries: int = Field(default=10_000, ge=1)
    """Most entries kept, with ``two_tier`` in memory; the least recently used go first. ``redis`` has its server's."""
    max_bytes: int = Field(default=256 * 1024 * 1024, ge=1)
    """Most bytes of keys, tags and encoded values kept, as ``max_entries``."""
    max_value_bytes: int = Field(default=32 * 1024 * 1024, ge=1)
    """Largest encoded value, with its key; never more than ``max_bytes``."""
    max_key_bytes: int = Field(default=1024, ge=1)
    """Longest key, in bytes of UTF-8."""
    max_tags: int = Field(default=16, ge=1)
    """Most tags of one value."""
    max_stale: Seconds = 86_400.0
    """Longest time, in seconds, that a caller may let a value be answered with after its time to live."""
    stale_while_revalidate: Seconds = 0.0
    """Seconds after its time to live in which ``get_or_set`` gives a value while a new one is being loaded."""
    stale_if_error: Seconds = 0.0
    """Seconds after its time to live in which ``get_or_set`` gives a value when loading a new one fails."""
    retry_interval: Seconds = 1.0
    """Seconds after a failed load in which the stale value is answered without another one."""
    soft_timeout: Seconds = 0.0
    """Seconds that ``get_or_set`` waits for a load before it gives a stale value, if there is one; 0: no limit."""
    hard_timeout: Seconds = 300.0
    """Seconds that a load may take, and that a caller waits for one; 0: without an end."""
    load_lease: Seconds = 10.0
    """Seconds for which a replica that loads keeps others waiting, renewed meanwhile; 0: each loads for itself."""
    memory_ttl: float = Field(default=60.0, gt=0)
    """Longest time, in seconds, that ``two_tier`` answers from memory before it asks the server again."""
    max_namespaces: int = Field(default=1000, ge=1)
    """Most namespaces; what varies without bound belongs into the key."""
    purge_interval: float = Field(default=60.0, gt=0)
    """Seconds between two rounds of removing what has expired."""
    busy_timeout: Seconds = 5.0
    """Seconds that the disk backend waits for another process that is writing to its file."""
