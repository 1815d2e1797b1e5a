"""The whole configuration as one frozen model."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bedplate.services.settings.groups.auth import AuthSettings
from bedplate.services.settings.groups.base import Location
from bedplate.services.settings.groups.cache import CacheSettings
from bedplate.services.settings.groups.chat import ChatSettings
from bedplate.services.settings.groups.database import DatabaseSettings
from bedplate.services.settings.groups.flags import FlagName, FlagSetting
from bedplate.services.settings.groups.job_queue import JobQueueSettings
from bedplate.services.settings.groups.plugins import PluginsSettings
from bedplate.services.settings.groups.redis import RedisSettings
from bedplate.services.settings.groups.server import ServerSettings
from bedplate.services.settings.groups.session import SessionSettings
from bedplate.services.settings.groups.shared_component_cache import SharedComponentCacheSettings
from bedplate.services.settings.groups.socket import SocketSettings
from bedplate.services.settings.groups.state import StateSettings
from bedplate.services.settings.groups.storage import StorageSettings
from bedplate.services.settings.groups.store import StoreSettings
from bedplate.services.settings.groups.task import TaskSettings
from bedplate.services.settings.groups.telemetry import TelemetrySettings
from bedplate.services.settings.groups.tracing import TracingSettings
from bedplate.services.settings.groups.variable import VariableSettings
from bedplate.services.settings.profiles import Profile
from bedplate.services.settings.reading import Reading
from bedplate.services.settings.sources import sources_of
from bedplate.services.settings.strength import weakness_of

__all__ = ["Profile", "Settings"]


def _strong(secret: SecretStr) -> SecretStr:
    if weakness := weakness_of(secret.get_secret_value()):
        message = f"it {weakness}; make one with: openssl rand -hex 32"
        raise ValueError(message)
    return secret


_StrongSecret = Annotated[SecretStr, AfterValidator(_strong)]


class Settings(BaseSettings):
    """All settings: a few of the application's own, then one group per service.

    :class:`~bedplate.services.settings.service.SettingsService` builds it.
    """

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    profile: Profile = "embedded"
    """Which set of defaults applies: ``embedded``, ``cluster`` or ``test``."""
    data_dir: Location = Path("data")
    """Folder of everything that Bedplate writes: database, secret key, cache, files."""
    secret_key: _StrongSecret | None = None
    """Key that everything signed or encrypted derives from; unset: made once, kept in the data directory."""
    previous_secret_keys: tuple[_StrongSecret, ...] = ()
    """Keys that were the secret key before, or will be: what was encrypted with them can be read."""
    env_file: Location = Path(".env")
    """File of further environment variables; set by an argument or the environment."""
    config_file: Location = Path("bedplate.toml")
    """TOML file of settings, one table a group; set by an argument, the environment or the .env file."""
    secrets_dir: Location | None = None
    """Folder with one file a value, named as its environment variable; set by any of the sources above it."""

    flags: dict[FlagName, FlagSetting] = Field(default_factory=dict)
    """Feature flags by name, each a value or a table of a default and rules."""

    server: ServerSettings = Field(default_factory=ServerSettings)
    plugins: PluginsSettings = Field(default_factory=PluginsSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    auth: AuthSettings = Field(default_factory=AuthSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    chat: ChatSettings = Field(default_factory=ChatSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    job_queue: JobQueueSettings = Field(default_factory=JobQueueSettings)
    session: SessionSettings = Field(default_factory=SessionSettings)
    shared_component_cache: SharedComponentCacheSettings = Field(default_factory=SharedComponentCacheSettings)
    socket: SocketSettings = Field(default_factory=SocketSettings)
    state: StateSettings = Field(default_factory=StateSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    task: TaskSettings = Field(default_factory=TaskSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)
    tracing: TracingSettings = Field(default_factory=TracingSettings)
    variable: VariableSettings = Field(default_factory=VariableSettings)

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading=reading)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Replace the stock sources by those that keep the origin of each value and report every problem."""
        reading: Any = init_settings()["reading"]
        return sources_of(settings_cls, reading)
