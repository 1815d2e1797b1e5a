"""The Prompt component."""

from collections.abc import Mapping
from typing import Any

from bedplate.services.shared_component_cache.component import Component, Field, Message, Output
from bedplate.services.shared_component_cache.component_context import ComponentContext
from bedplate.services.shared_component_cache.components.template import fill
from bedplate.services.shared_component_cache.components.text import text_of

__all__ = ["Prompt"]


class Prompt(Component):
    """Fills the places of a template with the values of the fields that are called like them."""

    type_name = "Prompt"
    category = "processing"
    display_name = "Prompt"
    description = "Create a prompt template with dynamic variables."
    icon = "braces"
    kind = "prompt"
    fields = (
        Field(name="template", type="prompt", display_name="Template", info="Text with {variables} in it."),
        Field(
            name="tool_placeholder",
            display_name="Tool Placeholder",
            info="A placeholder input for tool mode.",
            advanced=True,
            input_types=("Message",),
        ),
    )
    outputs = (Output(name="prompt", display_name="Prompt", method="build_prompt"),)

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Fill the template."""
        return {"prompt": Message(text=fill(text_of(inputs.get("template")), inputs))}
