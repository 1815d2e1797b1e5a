"""Settings of the HTTP server and of the application as a whole."""

from pydantic import Field, ValidationInfo, field_validator

from bedplate.services.settings.groups.base import Seconds, SettingsGroup

__all__ = ["ServerSettings"]


class ServerSettings(SettingsGroup):
    """The HTTP server (``BEDPLATE_SERVER__*``)."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=7860, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    replicas: int = Field(default=1, ge=1)
    """Processes that serve together; nothing but ``bedplate doctor`` looks at it."""
    max_body_bytes: int = Field(default=16 * 1024 * 1024, gt=0)
    """Largest accepted body of a request without files."""
    cors_origins: tuple[str, ...] = ()
    """Origins that browsers may call from; empty allows none but the server's own."""
    cors_allow_credentials: bool = False
    """Whether pages of those origins may send cookies."""
    send_timeout: Seconds = 60.0
    """Seconds after which a client that takes nothing of what is sent to it is cut off, where the system can do that
    (Linux); 0: never."""
    drain_delay: Seconds = 0.0
    """Seconds that the server goes on as before when it is to stop, but for ``/readyz``, which answers 503, so that a
    load balancer sends the next requests elsewhere."""
    drain_timeout: Seconds = 4.0
    """Seconds that jobs and open requests may take to end after that, before the services are stopped."""
    stop_timeout: Seconds = 25.0
    """Seconds in all for stopping every service (Kubernetes kills after 30)."""
    health_timeout: Seconds = 2.0
    """Seconds that each service may take to answer a readiness check."""
    gc_freeze: bool = True
    """Whether objects that are there when an app has started are kept out of the garbage collector's sight while it
    runs (``gc.freeze``)."""
    services_report_loopback: bool = False
    """Whether callers on this machine may read /metrics and /api/v1/services without credentials."""

    @field_validator("cors_allow_credentials")
    @classmethod
    def _not_for_every_origin(cls, allowed: bool, info: ValidationInfo) -> bool:
        if allowed and "*" in info.data.get("cors_origins", ()):
            message = "any page could act as the user while server.cors_origins holds '*'"
            raise ValueError(message)
        return allowed
