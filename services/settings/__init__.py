"""The settings service: one typed, frozen group per service."""

from bedplate.services.settings.errors import Problem, SettingsError
from bedplate.services.settings.models import Settings
from bedplate.services.settings.service import SettingsService

__all__ = ["Problem", "Settings", "SettingsError", "SettingsService"]
