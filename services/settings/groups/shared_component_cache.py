"""Settings of the shared component cache service."""

from bedplate.services.settings.groups.base import Location, ServiceSettings

__all__ = ["SharedComponentCacheSettings"]


class SharedComponentCacheSettings(ServiceSettings):
    """Component types (``BEDPLATE_SHARED_COMPONENT_CACHE__*``)."""

    backend: str = "memory"
    """Where the definitions are kept: ``memory``."""
    components_path: tuple[Location, ...] = ()
    """Folders whose Python files define further components."""
