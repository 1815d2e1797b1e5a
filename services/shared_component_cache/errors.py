"""What can go wrong with component types."""

import difflib
from collections.abc import Collection

from bedplate.services.errors import ConfigurationError, ConflictError, NotFoundError
from bedplate.services.schema import ServiceType

__all__ = ["ComponentExistsError", "InvalidComponentError", "UnknownComponentError"]


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
