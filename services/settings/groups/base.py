"""What every group of settings has."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["Location", "Seconds", "ServiceSettings", "SettingsGroup"]

Seconds = Annotated[float, Field(ge=0)]


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


Location = Annotated[Path, AfterValidator(_absolute)]
"""A path, made absolute when the settings are read, so that it means the same for as long as the process lives."""


class SettingsGroup(BaseModel):
    """A frozen group of settings; unknown keys are refused."""

    # Their schemas are parts of that of all settings, and never used alone.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True, defer_build=True
    )


class ServiceSettings(SettingsGroup):
    """What can be set for every service."""

    backend: str = "embedded"
    """Which backend the service uses; the reference of each service lists them."""
    required: bool = True
    """False: when the service cannot start, the application runs without it, degraded."""
    start_timeout: Seconds = 30.0
    """Seconds that the service may take to start."""
    stop_timeout: Seconds = 10.0
    """Seconds that the service may take to stop."""
