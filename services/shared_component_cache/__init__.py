"""The shared component cache: the component types that flows are made of, and their definitions."""

from bedplate.services.shared_component_cache.component import (
    ChatEndpoint,
    Component,
    ComponentContext,
    Field,
    FieldType,
    Kind,
    Message,
    Output,
    PastMessage,
)

__all__ = [
    "ChatEndpoint",
    "Component",
    "ComponentContext",
    "Field",
    "FieldType",
    "Kind",
    "Message",
    "Output",
    "PastMessage",
]
