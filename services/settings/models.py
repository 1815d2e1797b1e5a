"""The whole configuration as one frozen model."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.auth import AuthSettings
from bedplate.services.settings.groups.base import SettingsGroup
from bedplate.services.settings.groups.cache import CacheSettings
from bedplate.services.settings.groups.chat import ChatSettings
from bedplate.services.settings.groups.database import DatabaseSettings
from bedplate.services.settings.groups.job_queue import JobQueueSettings
from bedplate.services.settings.groups.server import ServerSettings
from bedplate.services.settings.groups.session import SessionSettings
from bedplate.services.settings.groups.shared_component_cache import SharedComponentCacheSettings
from bedplate.services.settings.groups.telemetry import TelemetrySettings
from bedplate.services.settings.groups.tracing import TracingSettings
from bedplate.services.settings.groups.variable import VariableSettings

__all__ = ["Profile", "Settings"]

Profile = Literal["embedded", "cluster", "test"]


class Settings(SettingsGroup):
    """All settings: a few of the application's own, then one group per service."""

    profile: Profile = "embedded"
    """Which set of defaults applies: ``embedded``, ``cluster`` or ``test``."""
    data_dir: Path = Path("data")
    """Folder of everything that Bedplate writes: database, secret key, cache, files."""
    secret_key: SecretStr | None = None
    """Key that everything signed or encrypted derives from; unset: made once, kept in the data directory."""

    server: ServerSettings = Field(default_factory=ServerSettings)
    auth: AuthSettings = Field(default_factory=AuthSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    chat: ChatSettings = Field(default_factory=ChatSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    job_queue: JobQueueSettings = Field(default_factory=JobQueueSettings)
    session: SessionSettings = Field(default_factory=SessionSettings)
    shared_component_cache: SharedComponentCacheSettings = Field(default_factory=SharedComponentCacheSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)
    tracing: TracingSettings = Field(default_factory=TracingSettings)
    variable: VariableSettings = Field(default_factory=VariableSettings)
