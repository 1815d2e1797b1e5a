"""Settings of what other distributions bring."""

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import SettingsGroup

__all__ = ["PluginsSettings"]


class PluginsSettings(SettingsGroup):
    """Services and backends of other distributions (``BEDPLATE_PLUGINS__*``)."""

    enabled: tuple[str, ...] = ("*",)
    """Services of installed plug-ins that run, by name; ``*``: all."""
    required: tuple[str, ...] = ()
    """Those of them without which the application does not start; the others fail alone."""
    options: dict[str, dict[str, SecretStr]] = Field(default_factory=dict)
    """What plug-ins are told, by the name of the plug-in and of the option; all of it is treated as secret."""
