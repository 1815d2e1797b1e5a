"""The built-in components; what stands in ``BUILTIN`` is registered at start."""

from bedplate.services.shared_component_cache.component import Component
from bedplate.services.shared_component_cache.components.file import File
from bedplate.services.shared_component_cache.components.inputs import ChatInput, TextInput
from bedplate.services.shared_component_cache.components.language_model import LanguageModel
from bedplate.services.shared_component_cache.components.memory import Memory
from bedplate.services.shared_component_cache.components.outputs import ChatOutput, TextOutput
from bedplate.services.shared_component_cache.components.prompt import Prompt
from bedplate.services.shared_component_cache.components.signals import Listen, Notify
from bedplate.services.shared_component_cache.components.webhook import Webhook

__all__ = ["BUILTIN"]

BUILTIN: tuple[type[Component], ...] = (
    ChatInput,
    TextInput,
    Webhook,
    File,
    Prompt,
    LanguageModel,
    Memory,
    Notify,
    Listen,
    ChatOutput,
    TextOutput,
)
