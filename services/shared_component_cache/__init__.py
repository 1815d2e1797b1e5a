"""The shared component cache: the component types that flows are made of, and their definitions."""

from bedplate.services.shared_component_cache.component import Component, Field, FieldType, Kind, Message, Output
from bedplate.services.shared_component_cache.component_context import ChatEndpoint, ComponentContext, PastMessage
from bedplate.services.shared_component_cache.errors import (
    ComponentExistsError,
    InvalidComponentError,
    ObjectClosedError,
    ReloadTimeoutError,
    TooManyObjectsError,
    UnknownComponentError,
)
from bedplate.services.shared_component_cache.models import ComponentDocument, ComponentFailure, Reloaded
from bedplate.services.shared_component_cache.service import SharedComponentCacheService

__all__ = [
    "ChatEndpoint",
    "Component",
    "ComponentContext",
    "ComponentDocument",
    "ComponentExistsError",
    "ComponentFailure",
    "Field",
    "FieldType",
    "InvalidComponentError",
    "Kind",
    "Message",
    "ObjectClosedError",
    "Output",
    "PastMessage",
    "ReloadTimeoutError",
    "Reloaded",
    "SharedComponentCacheService",
    "TooManyObjectsError",
    "UnknownComponentError",
]
