"""The backends of the state service."""

from math import inf

from bedplate.services.backends import Backend, service_factory
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.state import StateSettings
from bedplate.services.state.backend import Limits, StateBackend
from bedplate.services.state.models import ScopeKind
from bedplate.services.state.service import StateService
from bedplate.services.telemetry import TelemetryService

__all__ = ["build_state", "limits_of"]


@service_factory(
    ServiceType.STATE,
    Backend(name="memory", target="bedplate.services.state.memory:MemoryBackend"),
)
def build_state(settings: SettingsService, telemetry: TelemetryService) -> StateService:
    """Build the state service from its settings."""
    store: StateBackend = build_state.choose(settings).backend.load(ServiceType.STATE)(limits_of(settings.values.state))
    return StateService(settings, telemetry, store)


def limits_of(values: StateSettings) -> Limits:
    """How much a backend may keep."""
    return Limits(
        entries=values.max_entries,
        value_bytes=values.max_value_bytes,
        user_bytes=values.max_user_bytes,
        bytes=values.max_bytes,
        subscriptions=values.max_subscriptions,
        scope_subscriptions=values.max_scope_subscriptions,
        idle={kind: getattr(values, f"{kind}_ttl") or inf for kind in ScopeKind},
    )
