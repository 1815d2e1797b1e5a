"""Settings of the shared component cache service."""

from pydantic import Field, SecretStr

from bedplate.services.settings.groups.base import Location, ServiceSettings

__all__ = ["SharedComponentCacheSettings"]


class SharedComponentCacheSettings(ServiceSettings):
    """Component types (``BEDPLATE_SHARED_COMPONENT_CACHE__*``)."""

    backend: str = "memory"
    """Where replicas meet: ``memory``, nowhere, or ``redis``, where they reload together and see what each has."""
    redis_url: SecretStr | None = None
    """URL of a Redis server of its own; unset: that of ``BEDPLATE_REDIS__URL``."""
    components_path: tuple[Location, ...] = ()
    """Folders whose Python files define further components."""
    max_objects: int = Field(default=256, ge=1)
    """Most live objects, such as clients, that components share; the least recently used are closed first."""
    max_objects_per_user: int = Field(default=32, ge=1)
    """Most of them that belong to one user."""
    close_timeout: float = Field(default=5.0, gt=0)
    """Seconds that closing one of them may take."""
    reload_timeout: float = Field(default=30.0, gt=0)
    """Seconds that importing the components anew may take."""
