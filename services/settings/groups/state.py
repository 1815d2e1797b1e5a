"""Settings of the state service."""

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["StateSettings"]

_MIB = 1024 * 1024


class StateSettings(ServiceSettings):
    """Shared values of runs, sessions and users (``BEDPLATE_STATE__*``)."""

    backend: str = "memory"
    """Where values are kept: ``memory``, in this process, or ``redis``, for all replicas."""
    redis_url: SecretStr | None = None
    """URL of a Redis server of its own; unset: that of ``BEDPLATE_REDIS__URL``."""
    run_ttl: Seconds = 86_400.0
    """Seconds after its last change that the state of a run is forgotten if nobody has ended it; 0: never."""
    session_ttl: Seconds = 604_800.0
    """Seconds after its last change that the state of a session is forgotten; 0: never."""
    user_ttl: Seconds = 0.0
    """Seconds after its last change that the state of a user is forgotten; 0: never."""
    app_ttl: Seconds = 0.0
    """Seconds after its last change that the state of the application is forgotten; 0: never."""
    max_entries: int = Field(default=1_000, ge=1)
    """Most values of one run, session, user or application; a write over it is refused."""
    max_key_bytes: int = Field(default=512, ge=1)
    """Longest key, in bytes of UTF-8."""
    max_value_bytes: int = Field(default=_MIB, ge=1)
    """Largest value, in encoded bytes."""
    max_user_bytes: int = Field(default=64 * _MIB, ge=1)
    """Most bytes that everything of one user takes; a write over it is refused."""
    max_bytes: int = Field(default=256 * _MIB, ge=1)
    """Most bytes that everything takes, about half a KiB for every value included; a write over it is refused."""
    max_subscriptions: int = Field(default=10_000, ge=1)
    """Most subscriptions of one process."""
    max_scope_subscriptions: int = Field(default=100, ge=1)
    """Most subscriptions of one process to the values of one run, session, user or application."""
    buffer_events: int = Field(default=256, ge=1)
    """Most changes that wait for one subscriber; one that lags further behind gets the current value instead."""
    buffer_bytes: int = Field(default=4 * _MIB, ge=1)
    """Most encoded bytes that wait for one subscriber."""
    purge_interval: float = Field(default=60.0, gt=0)
    """Seconds between two rounds of removing what has expired."""
