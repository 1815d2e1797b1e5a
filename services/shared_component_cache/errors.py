"""What can go wrong with component types."""

import difflib
from collections.abc import Collection

from bedplate.services.errors import (
    ConfigurationError,
    ConflictError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from bedplate.services.schema import ServiceType

__all__ = [
    "ComponentExistsError",
    "InvalidComponentError",
    "ObjectClosedError",
    "ReloadTimeoutError",
    "TooManyObjectsError",
    "UnknownComponentError",
]


class UnknownComponentError(NotFoundError):
    """No component type has this name.

    Args:
        name: The name that was asked for.
        known: The names that there are; the nearest one is suggested.
    """

    code = "unknown_component_type"

    def __init__(self, name: str, known: Collection[str]) -> None:
        nearest = difflib.get_close_matches(name, known, n=1)
        fix = f"use {nearest[0]!r}" if nearest else "register the component, or add its folder to the settings"
        super().__init__(
            f"There is no component type {name!r}", service=ServiceType.SHARED_COMPONENT_CACHE, fix=f"{fix}."
        )
        self.name = name


class ComponentExistsError(ConflictError):
    """Another component type has this name."""

    code = "component_exists"

    def __init__(self, name: str, owner: str) -> None:
        super().__init__(
            f"The component type {name!r} is defined already",
            service=ServiceType.SHARED_COMPONENT_CACHE,
            why=f"by {owner}",
            fix="choose another type_name, or register it with replace=True.",
        )


class InvalidComponentError(ConfigurationError):
    """A class is no usable component type."""

    code = "invalid_component"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"{name} is no component type",
            service=ServiceType.SHARED_COMPONENT_CACHE,
            why=why,
            fix="see bedplate.services.shared_component_cache.component.Component for what it declares.",
        )


class ReloadTimeoutError(UnavailableError):
    """Importing the components took too long; those that there were are still there."""

    code = "component_reload_timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the components could not be imported within {seconds:g} seconds",
            service=ServiceType.SHARED_COMPONENT_CACHE,
            fix="look for code that waits or loops while it is imported",
        )


class TooManyObjectsError(RateLimitedError):
    """As many shared objects are in use as may be."""

    code = "too_many_objects"

    def __init__(self, limit: int, setting: str) -> None:
        super().__init__(
            f"all of the {limit} shared objects are in use",
            retry_after=1.0,
            service=ServiceType.SHARED_COMPONENT_CACHE,
            fix=f"use fewer at once, or raise BEDPLATE_SHARED_COMPONENT_CACHE__{setting}",
        )


class ObjectClosedError(UnavailableError):
    """A shared object was given up before it was made, or the service does not run."""

    code = "object_closed"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the shared object {key!r:.200} is not available any more",
            service=ServiceType.SHARED_COMPONENT_CACHE,
            fix="ask for it again",
        )
