"""Services that other distributions bring, by entry point.

A distribution declares one in its ``pyproject.toml``, by the name that the service has in the container::

    [project.entry-points."bedplate.services"]
    weather = "my_distribution.weather:provider"

where ``provider(container)`` returns a provider, such as ``Singleton(Weather, container.settings)``. Which of them run
is a setting; one that cannot be used fails alone: the report names it, and the application runs without it.
"""

import difflib
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from dependency_injector import providers

from bedplate.containers.application import ApplicationContainer
from bedplate.containers.base import ContainerInstance
from bedplate.services.base import Service
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings import SettingsService

__all__ = ["GROUP", "PluginError", "add_plugins", "application_container"]

GROUP = "bedplate.services"
_ALL = "*"


class PluginError(ConfigurationError):
    """A plug-in that is installed cannot be used, or one that is wanted is not installed."""

    code = "plugin"


class _Unusable(Service):
    """Stands in the container for a service that could not be made, so that the report says why."""

    def __init__(self, error: PluginError) -> None:
        self._error = error

    async def _start(self) -> None:
        raise self._error


def application_container(settings: SettingsService | None = None) -> ApplicationContainer:
    """A container of the application with the services of the installed plug-ins that the settings enable.

    Args:
        settings: Its settings; None: those of the environment and of the files.

    Raises:
        SettingsError: The settings are wrong.
        PluginError: The settings name a plug-in that is not installed.
    """
    container = ApplicationContainer()
    if settings is not None:
        container.settings.override(providers.Object(settings))
    add_plugins(container)
    return container


def add_plugins(container: ContainerInstance) -> list[str]:
    """Add the services of the installed plug-ins that the settings enable, and return their names in order.

    One that cannot be imported, gives no provider, or has the name of a service of the container is added all the
    same, under its name or ``<name>_plugin``: it fails when it is started, and nothing else does.

    Raises:
        SettingsError: The settings are wrong.
        PluginError: The settings name one that is not installed.
    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    settings = container.settings().values.plugins
    for name in (*settings.enabled, *settings.required):
        if name not in found and name != _ALL:
            raise _not_installed(name, found)
    enabled = sorted(found if _ALL in settings.enabled else {*settings.enabled, *settings.required})
    return [_add(container, found[name], required=name in settings.required) for name in enabled]


def _add(container: ContainerInstance, entry: EntryPoint, *, required: bool) -> str:
    name = entry.name
    try:
        container.add(name, _provider(entry, container), required=required)
    except Exception as error:
        name = f"{name}_plugin" if name in container.providers or not name.isidentifier() else name
        container.add(name, providers.ThreadSafeSingleton(_Unusable, _unusable(entry, error)), required=required)
    return name


def _provider(entry: EntryPoint, container: ContainerInstance) -> "providers.Provider[object]":
    made = entry.load()(container)
    if not isinstance(made, providers.Provider):
        raise TypeError(f"it returned {type(made).__name__}, not a provider")
    return made


def _unusable(entry: EntryPoint, error: Exception) -> PluginError:
    origin = entry.dist.name if entry.dist else "unknown"
    return PluginError(
        f"the plug-in {entry.name!r} of the distribution {origin!r} cannot be used",
        why=f"{entry.value}: {type(error).__name__}: {error}",
        fix=f"repair or uninstall {origin!r}, or leave it out of BEDPLATE_PLUGINS__ENABLED",
    )


def _not_installed(name: str, found: Iterable[str]) -> PluginError:
    close = difflib.get_close_matches(name, found, n=1)
    return PluginError(
        f"no plug-in called {name!r} is installed",
        why="BEDPLATE_PLUGINS__ENABLED or BEDPLATE_PLUGINS__REQUIRED names it",
        fix=f"did you mean {close[0]!r}?" if close else f"install it; there are {', '.join(sorted(found)) or 'none'}",
    )
