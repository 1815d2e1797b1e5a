"""Services that other distributions bring, by entry point.

A distribution declares one in its ``pyproject.toml``, by the name that the service has in the container::

    [project.entry-points."bedplate.services"]
    weather = "my_distribution.weather:provider"

where ``provider(container)`` returns a provider, such as ``Singleton(Weather, container.settings)``.
"""

from importlib.metadata import EntryPoint, entry_points

from dependency_injector import providers

from bedplate.containers.application import ApplicationContainer
from bedplate.containers.base import ContainerInstance
from bedplate.services.errors import ConfigurationError

__all__ = ["GROUP", "PluginError", "add_plugins", "application_container"]

GROUP = "bedplate.services"


class PluginError(ConfigurationError):
    """A plug-in that is installed cannot be used."""

    code = "plugin"


def application_container() -> ApplicationContainer:
    """A container of the application with every plug-in that is installed.

    Raises:
        PluginError: One of them cannot be used.
    """
    container = ApplicationContainer()
    add_plugins(container)
    return container


def add_plugins(container: ContainerInstance) -> list[str]:
    """Add the services of all installed plug-ins, in the order of their names, and return the names.

    Raises:
        PluginError: One cannot be imported, gives no provider, or has the name of a service of the container.
    """
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    for entry in found:
        try:
            container.add(entry.name, _provider(entry, container))
        except Exception as error:
            origin = entry.dist.name if entry.dist else "unknown"
            raise PluginError(
                f"the plug-in {entry.name!r} of the distribution {origin!r} cannot be used",
                why=f"{entry.value}: {type(error).__name__}: {error}",
                fix=f"repair it, or uninstall {origin!r}",
            ) from error
    return [entry.name for entry in found]


def _provider(entry: EntryPoint, container: ContainerInstance) -> "providers.Provider[object]":
    made = entry.load()(container)
    if not isinstance(made, providers.Provider):
        raise TypeError(f"it returned {type(made).__name__}, not a provider")
    return made
