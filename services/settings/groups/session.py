"""Settings of the session service."""

from typing import Literal

from pydantic import Field

from bedplate.services.settings.groups.base import Seconds, ServiceSettings

__all__ = ["SessionSettings"]


class SessionSettings(ServiceSettings):
    """Flow sessions and the runner (``BEDPLATE_SESSION__*``)."""

    backend: str = "database"
    """Where sessions are kept: ``database``."""
    idle_ttl: Seconds = 7 * 24 * 3600.0
    """Seconds without a run after which a session has expired."""
    run_policy: Literal["parallel", "serial", "reject"] = "parallel"
    """What becomes of a run while another one of its session goes on, in whichever process: ``parallel``, both go on;
    ``serial``, it waits for its turn; ``reject``, it is refused. Who names no session uses that of the flow."""
    max_waiting_runs: int = Field(default=10, ge=0)
    """Most runs of one session that wait in one process, where they take turns; more are refused."""
    run_lease: float = Field(default=30.0, ge=1)
    """Seconds after which the turn of a process that died is free again."""
    max_flow_bytes: int = Field(default=16 * 1024 * 1024, ge=1)
    """Largest flow document."""
    max_import_flows: int = Field(default=1_000, ge=1)
    """Most flows of one upload or download."""
    max_import_bytes: int = Field(default=64 * 1024 * 1024, ge=1)
    """Most bytes of the documents of one upload, unpacked."""
    max_nodes: int = Field(default=2_000, ge=1)
    """Most nodes of a flow."""
    max_edges: int = Field(default=20_000, ge=1)
    """Most edges of a flow."""
    max_parallel_nodes: int = Field(default=16, ge=1)
    """Most nodes of one run that are built at once."""
    max_pending_events: int = Field(default=256, ge=1)
    """Most events of one run that wait for its reader; more make the run wait."""
    record_retention: Seconds = 30 * 24 * 3600.0
    """Seconds after which a recorded build or transaction is deleted; 0: never."""
    result_ttl: Seconds = 24 * 3600.0
    """Seconds for which what a frozen vertex gave is kept for the next runs of its session; 0 builds it in each run."""
    max_builds_per_vertex: int = Field(default=10, ge=1)
    """Most recorded builds of one vertex of a flow; the oldest go first."""
    max_builds_per_flow: int = Field(default=3_000, ge=1)
    """Most recorded builds of one flow; the oldest go first."""
    max_transactions_per_flow: int = Field(default=3_000, ge=1)
    """Most recorded transactions of one flow; the oldest go first."""
    llm_base_url: str = "https://api.openai.com/v1"
    """OpenAI-compatible endpoint that LanguageModel components call."""
    llm_connect_timeout: Seconds = 10.0
    """Seconds to connect to that endpoint."""
    llm_read_timeout: Seconds = 120.0
    """Longest silence of that endpoint, in seconds."""
    llm_max_answer_bytes: int = Field(default=4 * 1024 * 1024, ge=1)
    """Largest answer of that endpoint."""
    llm_retries: int = Field(default=2, ge=0)
    """Most further attempts of a call that fails before its first token."""
    llm_retry_delay: Seconds = 0.5
    """Seconds before the first further attempt; each later one waits twice as long."""
    llm_max_retry_delay: Seconds = 10.0
    """Longest wait before a further attempt in seconds, also where the endpoint asks for more."""
