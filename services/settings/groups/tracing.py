"""Settings of the tracing service."""

from pydantic import Field

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["TracingSettings"]


class TracingSettings(ServiceSettings):
    """Runs and spans (``BEDPLATE_TRACING__*``)."""

    backend: str = "database"
    """Where runs are recorded: ``database`` or ``off``."""
    queue_size: int = Field(default=10_000, ge=1)
    """Most spans that wait to be written; more are dropped and counted."""
    flush_timeout: Seconds = 5.0
    """Seconds to write what waits when the service stops."""
    max_value_bytes: int = Field(default=32 * 1024, ge=16)
    """Largest input or output recorded; longer ones are cut."""
    redact_keys: tuple[str, ...] = ()
    """Names of fields to mask beside the built-in ones."""
    redact_patterns: tuple[str, ...] = ()
    """Regular expressions whose matches are masked beside the built-in ones."""
    redact_min_length: int = Field(default=6, ge=4)
    """Fewest characters of a secret that is masked by its value: shorter ones would eat ordinary words."""
    redact_max_values: int = Field(default=4096, ge=1)
    """Most secrets masked by their values; the one used least recently is forgotten first."""
