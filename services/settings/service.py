"""The settings service."""

import os
from typing import Any

from bedplate.services.base import Service
from bedplate.services.schema import ServiceType
from bedplate.services.settings.groups.base import ServiceSettings
from bedplate.services.settings.models import Settings

__all__ = ["SettingsService"]


class SettingsService(Service):
    """Reads the configuration when built; every group is an attribute, such as ``settings.cache.max_entries``."""

    type = ServiceType.SETTINGS

    def __init__(self, **overrides: Any) -> None:
        values: dict[str, Any] = {}
        for name, value in os.environ.items():
            group, _, key = name.removeprefix("BEDPLATE_").lower().partition("__")
            if name.startswith("BEDPLATE_") and key:
                values.setdefault(group, {})[key] = value
        for group, value in overrides.items():
            merged = values.get(group, {}) | value if isinstance(value, dict) else value
            values[group] = merged
        self._settings = Settings.model_validate(values)

    @property
    def values(self) -> Settings:
        """The whole configuration."""
        return self._settings

    def __getattr__(self, name: str) -> Any:
        return getattr(self._settings, name)

    def of(self, service: str) -> ServiceSettings:
        """The common settings of a service by name; the defaults for one without a group of its own."""
        group = getattr(self._settings, service, None)
        return group if isinstance(group, ServiceSettings) else ServiceSettings()

    def backend_of(self, service: ServiceType) -> tuple[str, str]:
        """The name of the configured backend of a service, and where that setting came from."""
        return self.of(service).backend, "default"
