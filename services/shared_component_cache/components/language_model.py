"""The LanguageModel component."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from bedplate.services.shared_component_cache.component import Component, Field, Message, Output
from bedplate.services.shared_component_cache.component_context import ComponentContext
from bedplate.services.shared_component_cache.components.attachments import user_content
from bedplate.services.shared_component_cache.components.chat_errors import EmptyPromptError
from bedplate.services.shared_component_cache.components.text import text_of

if TYPE_CHECKING:
    from bedplate.services.shared_component_cache.components.chat_client import ChatClient

__all__ = ["LanguageModel"]

_TEXT, _MODEL = "text_output", "model_output"


class LanguageModel(Component):
    """Asks a language model at the operator's OpenAI-compatible endpoint."""

    type_name = "LanguageModelComponent"
    category = "models"
    display_name = "Language Model"
    description = "Runs a language model given a specified provider."
    icon = "brain-circuit"
    kind = "llm"
    fields = (
        Field(
            name="provider",
            display_name="Model Provider",
            info="Shown only: the operator's endpoint decides what answers.",
            default="OpenAI",
            options=("OpenAI", "Anthropic", "Google"),
        ),
        Field(name="model_name", display_name="Model Name", info="The model to use.", default="gpt-4o-mini"),
        Field(
            name="api_key",
            display_name="API Key",
            info="The variable that holds the key.",
            default="OPENAI_API_KEY",
            secret=True,
        ),
        Field(
            name="input_value",
            display_name="Input",
            info="The input text to send to the model.",
            input_types=("Message",),
        ),
        Field(
            name="system_message",
            display_name="System Message",
            info="A system message that helps set the behavior of the assistant.",
            advanced=True,
            multiline=True,
            input_types=("Message",),
        ),
        Field(
            name="stream",
            type="bool",
            display_name="Stream",
            info="Answers are always streamed.",
            default=False,
            advanced=True,
        ),
        Field(
            name="temperature",
            type="slider",
            display_name="Temperature",
            info="Controls randomness in responses.",
            default=0.1,
            advanced=True,
        ),
        Field(
            name="max_tokens",
            type="int",
            display_name="Max Tokens",
            info="Most tokens of an answer; empty for the endpoint's own limit.",
            default=None,
            advanced=True,
        ),
    )
    outputs = (
        Output(name=_TEXT, display_name="Model Response", method="text_response"),
        Output(name=_MODEL, display_name="Language Model", types=("LanguageModel",), method="build_model"),
    )

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Ask the model, if its answer is wanted; give the client itself to those that want the model."""
        client = _client(inputs, context)
        outputs: dict[str, Any] = {}
        if _MODEL in context.wanted:
            outputs[_MODEL] = client
        if _TEXT in context.wanted:
            outputs[_TEXT] = await self._answer(client, inputs, context)
        return outputs

    async def _answer(self, client: "ChatClient", inputs: Mapping[str, Any], context: ComponentContext) -> Message:
        model = text_of(inputs.get("model_name"))
        text: list[str] = []
        message_id = finish_reason = None
        async with aclosing(client.stream(await _messages(inputs, context))) as deltas:
            async for delta in deltas:
                if delta.text:
                    text.append(delta.text)
                    message_id = await context.stream_token(delta.text)
                finish_reason = delta.finish_reason or finish_reason
                if delta.usage is not None:
                    context.report_usage(
                        input_tokens=delta.usage.prompt_tokens or 0,
                        output_tokens=delta.usage.completion_tokens or 0,
                        total_tokens=delta.usage.total_tokens or 0,
                        model=delta.model or model,
                        finish_reason=finish_reason,
                    )
        source = {"id": context.vertex_id, "display_name": self.display_name, "source": model}
        return Message(text="".join(text), id=message_id, properties={"icon": self.icon, "source": source})


def _client(inputs: Mapping[str, Any], context: ComponentContext) -> "ChatClient":
    # httpx costs a start a tenth of a second, which a process that asks no model should not pay.
    from bedplate.services.shared_component_cache.components.chat_client import ChatClient

    key = inputs.get("api_key")
    options = {
        "model": text_of(inputs.get("model_name")),
        "temperature": inputs.get("temperature"),
        "max_tokens": inputs.get("max_tokens"),
    }
    return ChatClient(
        context.http,
        context.llm,
        key if isinstance(key, SecretStr) else None,
        {name: value for name, value in options.items() if value is not None and value != ""},
    )


async def _messages(inputs: Mapping[str, Any], context: ComponentContext) -> list[dict[str, Any]]:
    value = inputs.get("input_value")
    files = value.files if isinstance(value, Message) else ()
    said = {
        "system": text_of(inputs.get("system_message")),
        "user": await user_content(text_of(value), files, context),
    }
    messages = [{"role": role, "content": content} for role, content in said.items() if content]
    if not messages:
        raise EmptyPromptError
    return messages
