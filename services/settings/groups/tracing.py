"""Settings of the tracing service."""

from pydantic import Field

from bedplate.services.settings.groups.base import Seconds
from bedplate.services.settings.groups.tracing_vendors import TracingVendorSettings

__all__ = ["TracingSettings"]


class TracingSettings(TracingVendorSettings):
    """Runs and spans, and the masking of secrets (``BEDPLATE_TRACING__*``)."""

    backend: str = "database"
    """Where runs are recorded: ``database`` or ``off``."""
    queue_size: int = Field(default=10_000, ge=1)
    """Most spans that wait to be written; more are dropped and counted."""
    queue_bytes: int = Field(default=64 * 1024 * 1024, ge=1)
    """Most bytes of inputs, outputs and logs that wait to be written; spans beyond are recorded without theirs."""
    batch_size: int = Field(default=128, ge=1)
    """Most runs and spans that are written at once."""
    batch_bytes: int = Field(default=1024 * 1024, ge=1)
    """Bytes of inputs, outputs and logs after which a batch is full."""
    flush_interval: Seconds = 0.05
    """Seconds for which runs and spans gather before they are written."""
    flush_timeout: Seconds = 5.0
    """Seconds to write what waits when the service stops."""
    read_timeout: Seconds = 0.5
    """Seconds that a reader waits for what this process has recorded and not yet written."""
    export_timeout: Seconds = 10.0
    """Seconds that writing a batch may take."""
    export_attempts: int = Field(default=3, ge=1)
    """Times that a batch is tried before it is split, and what does not go alone dropped and counted."""
    retry_delay: Seconds = 0.2
    """Seconds before the second try; doubled for each further one."""
    retry_delay_max: Seconds = 5.0
    """Most seconds between two tries; while the database is down a batch is kept and tried again."""
    heartbeat: float = Field(default=30.0, ge=0.01)
    """Seconds between two signs of life of the runs that are going on."""
    interrupted_after: Seconds = 120.0
    """Seconds without a sign of life after which an unfinished run is shown as interrupted: its process died."""
    retention: Seconds = 30 * 24 * 3600.0
    """Seconds after which a run is deleted, with its spans; 0: never."""
    max_runs: int = Field(default=100_000, ge=0)
    """Most runs that are kept, the latest; 0: any number."""
    max_spans_per_run: int = Field(default=10_000, ge=1)
    """Most spans of a run; more are dropped and counted."""
    max_logs_per_span: int = Field(default=200, ge=0)
    """Most log entries of a span; more are counted in a last one."""
    max_value_bytes: int = Field(default=32 * 1024, ge=16)
    """Largest input, output or log of a span that is recorded; longer ones are cut, with a marker."""
    max_value_items: int = Field(default=2_000, ge=1)
    """Most values inside of one input or output; more are cut, with a marker."""
    max_value_depth: int = Field(default=32, ge=1)
    """Most levels of an input or output; deeper ones are cut, with a marker."""
    propagate: bool = True
    """Whether calls of flows to other systems say which trace they belong to (W3C Trace Context)."""
    redact_keys: tuple[str, ...] = ()
    """Names of fields to mask beside the built-in ones."""
    redact_patterns: tuple[str, ...] = ()
    """Regular expressions whose matches are masked beside the built-in ones."""
    redact_min_length: int = Field(default=6, ge=4)
    """Fewest characters of a secret that is masked by its value: shorter ones would eat ordinary words."""
    redact_max_values: int = Field(default=4096, ge=1)
    """Most secrets masked by their values; the one used least recently is forgotten first."""
