"""Settings of the shared component cache service."""

from pathlib import Path

from bedplate.services.settings.groups.base import ServiceSettings

__all__ = ["SharedComponentCacheSettings"]


class SharedComponentCacheSettings(ServiceSettings):
    """Component types (``BEDPLATE_SHARED_COMPONENT_CACHE__*``)."""

    backend: str = "memory"
    """Where the definitions are kept: ``memory``."""
    components_path: tuple[Path, ...] = ()
    """Folders whose Python files define further components."""
