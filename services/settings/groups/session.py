"""Settings of the session service."""

from pydantic import Field

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["SessionSettings"]


class SessionSettings(ServiceSettings):
    """Flow sessions and the runner (``BEDPLATE_SESSION__*``)."""

    backend: str = "database"
    """Where sessions are kept: ``database``."""
    idle_ttl: Seconds = 7 * 24 * 3600.0
    """Seconds without a run after which a session has expired."""
    max_flow_bytes: int = Field(default=16 * 1024 * 1024, ge=1)
    """Largest flow document."""
    max_nodes: int = Field(default=2_000, ge=1)
    """Most nodes of a flow."""
    max_parallel_nodes: int = Field(default=16, ge=1)
    """Most nodes of one run that are built at once."""
    llm_base_url: str = "https://api.openai.com/v1"
    """OpenAI-compatible endpoint that LanguageModel components call."""
    llm_connect_timeout: Seconds = 10.0
    """Seconds to connect to that endpoint."""
    llm_read_timeout: Seconds = 120.0
    """Longest silence of that endpoint, in seconds."""
