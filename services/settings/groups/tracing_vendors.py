"""Settings of the vendors that runs are told to beside the tracing service's own backend."""

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["TracingVendorSettings"]

_MIB = 1024 * 1024


class TracingVendorSettings(ServiceSettings):
    """Langfuse, LangWatch, LangSmith, Phoenix, Opik and collectors of OTLP: each is told when it is set up."""

    vendor_environment: bool = True
    """Whether vendors are also set up by the variables that they document, such as ``LANGFUSE_PUBLIC_KEY``."""
    vendor_content: bool | None = None
    """Whether vendors get inputs, outputs and logs, which hold prompts and answers; unset: as
    ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says, else not."""
    vendor_sample_rate: float = Field(default=1.0, ge=0, le=1)
    """Share of the runs that vendors are told of; those in which something failed always are."""
    vendor_queue_size: int = Field(default=4_000, ge=1)
    """Most spans that wait for one vendor; more are dropped and counted."""
    vendor_queue_bytes: int = Field(default=32 * _MIB, ge=1)
    """Most bytes of contents that wait for one vendor; spans beyond are sent without theirs."""
    vendor_batch_size: int = Field(default=64, ge=1)
    """Most spans of one request."""
    vendor_batch_bytes: int = Field(default=_MIB, ge=1)
    """Bytes of contents after which a request is full."""
    vendor_interval: Seconds = 1.0
    """Seconds for which spans gather before they are sent."""
    vendor_timeout: float = Field(default=5.0, gt=0)
    """Seconds that a request may take."""
    vendor_attempts: int = Field(default=3, ge=1)
    """Times that a request is tried that a vendor could not take; then its spans are counted as failed."""
    vendor_retry_delay: Seconds = 0.5
    """Seconds before the second try; doubled for each further one. ``Retry-After`` goes before."""
    vendor_retry_delay_max: Seconds = 30.0
    """Most seconds between two tries."""
    vendor_breaker_failures: int = Field(default=5, ge=0)
    """Failures in a row after which a vendor is left alone for a while; 0: it never is."""
    vendor_breaker_reset: Seconds = 30.0
    """Seconds for which it is left alone."""

    otlp_endpoint: str = ""
    """URL of a collector of OTLP over HTTP, such as ``http://127.0.0.1:4318``; ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
    otlp_headers: SecretStr | None = None
    """Headers for it, as ``name=value,name=value``; ``OTEL_EXPORTER_OTLP_HEADERS``."""
    langfuse_public_key: str = ""
    """Public key of a Langfuse project; ``LANGFUSE_PUBLIC_KEY``."""
    langfuse_secret_key: SecretStr | None = None
    """Its secret key; ``LANGFUSE_SECRET_KEY``."""
    langfuse_base_url: str = ""
    """URL of Langfuse; empty: its cloud in the EU; ``LANGFUSE_BASE_URL`` or ``LANGFUSE_HOST``."""
    langwatch_api_key: SecretStr | None = None
    """API key of a LangWatch project; ``LANGWATCH_API_KEY``."""
    langwatch_endpoint: str = ""
    """URL of LangWatch; empty: its cloud; ``LANGWATCH_ENDPOINT``."""
    langsmith_api_key: SecretStr | None = None
    """API key of LangSmith; ``LANGSMITH_API_KEY`` or ``LANGCHAIN_API_KEY``."""
    langsmith_endpoint: str = ""
    """URL of LangSmith's API; empty: its cloud; ``LANGSMITH_ENDPOINT`` or ``LANGCHAIN_ENDPOINT``."""
    langsmith_project: str = ""
    """Project there; empty: ``default``; ``LANGSMITH_PROJECT`` or ``LANGCHAIN_PROJECT``."""
    phoenix_endpoint: str = ""
    """URL of an Arize Phoenix server, such as ``http://127.0.0.1:6006``; ``PHOENIX_COLLECTOR_ENDPOINT``."""
    phoenix_api_key: SecretStr | None = None
    """API key for it, where it asks for one; ``PHOENIX_API_KEY``."""
    phoenix_project: str = ""
    """Project there; empty: ``default``; ``PHOENIX_PROJECT_NAME``."""
    opik_api_key: SecretStr | None = None
    """API key of Opik; ``OPIK_API_KEY``."""
    opik_url: str = ""
    """URL of Opik's API, such as ``http://127.0.0.1:5173/api``; empty: its cloud; ``OPIK_URL_OVERRIDE``."""
    opik_workspace: str = ""
    """Workspace there; ``OPIK_WORKSPACE``."""
    opik_project: str = ""
    """Project there; empty: ``Default Project``; ``OPIK_PROJECT_NAME``."""
