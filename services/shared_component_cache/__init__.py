"""The shared component cache: the component types that flows are made of, and their definitions."""

from bedplate.services.shared_component_cache.component import (
    Component,
    ComponentContext,
    Field,
    FieldType,
    Output,
    PastMessage,
)

__all__ = ["Component", "ComponentContext", "Field", "FieldType", "Output", "PastMessage"]
