"""Whether any vendor may be set up: a look that costs nothing, before what vendors need is imported."""

from collections.abc import Mapping
from typing import Final

from bedplate.services.settings.groups.tracing import TracingSettings

__all__ = ["may_have_vendors"]

_VARIABLES: Final = ("LANGFUSE_", "LANGWATCH_", "LANGSMITH_", "LANGCHAIN_", "PHOENIX_", "OPIK_", "OTEL_EXPORTER_")
_SETTINGS: Final = (
    "otlp_endpoint",
    "langfuse_public_key",
    "langfuse_secret_key",
    "langwatch_api_key",
    "langsmith_api_key",
    "phoenix_endpoint",
    "phoenix_api_key",
    "opik_api_key",
    "opik_url",
)


def may_have_vendors(settings: TracingSettings, environment: Mapping[str, str]) -> bool:
    """Whether a setting or a variable is there that sets a vendor up, or tries to."""
    if settings.backend == "off":
        return False
    if any(getattr(settings, name) for name in _SETTINGS):
        return True
    return settings.vendor_environment and any(name.startswith(_VARIABLES) for name in environment)
