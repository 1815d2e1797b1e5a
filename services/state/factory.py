"""The backends of the state service."""

from bedplate.services.backends import Backend, service_factory
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.state.backend import StateBackend
from bedplate.services.state.service import StateService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_state"]


@service_factory(
    ServiceType.STATE,
    Backend(name="memory", target="bedplate.services.state.memory:MemoryBackend"),
    planned=("redis",),
)
def build_state(settings: SettingsService, telemetry: TelemetryService) -> StateService:
    """Build the state service from its settings."""
    store: StateBackend = build_state.choose(settings).make(settings)
    return StateService(settings, telemetry, store)
