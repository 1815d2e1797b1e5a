"""The built-in components; what stands in ``BUILTIN`` is registered at start."""

from bedplate.services.shared_component_cache.component import Component

__all__ = ["BUILTIN"]

BUILTIN: tuple[type[Component], ...] = ()
