"""What providers of language models are called under each convention, whatever a component calls them."""

from collections.abc import Mapping
from typing import Final

__all__ = ["gen_ai_provider", "open_inference_provider"]

_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "amazonbedrock": ("aws.bedrock", "aws"),
    "anthropic": ("anthropic", "anthropic"),
    "awsbedrock": ("aws.bedrock", "aws"),
    "azure": ("azure.ai.openai", "azure"),
    "azureai": ("azure.ai.inference", "azure"),
    "azureaiinference": ("azure.ai.inference", "azure"),
    "azureopenai": ("azure.ai.openai", "azure"),
    "bedrock": ("aws.bedrock", "aws"),
    "gemini": ("gcp.gemini", "google"),
    "google": ("gcp.gen_ai", "google"),
    "googlegemini": ("gcp.gemini", "google"),
    "googlegenerativeai": ("gcp.gemini", "google"),
    "googlevertexai": ("gcp.vertex_ai", "google"),
    "ibmwatsonx": ("ibm.watsonx.ai", "ibm"),
    "ibmwatsonxai": ("ibm.watsonx.ai", "ibm"),
    "mistral": ("mistral_ai", "mistralai"),
    "mistralai": ("mistral_ai", "mistralai"),
    "vertexai": ("gcp.vertex_ai", "google"),
    "watsonx": ("ibm.watsonx.ai", "ibm"),
    "xai": ("x_ai", "xai"),
}
"""Those whose names differ, by what they are called, without case and separators; others are called what they are."""


def gen_ai_provider(name: str | None) -> str | None:
    """The value of ``gen_ai.provider.name``."""
    return None if not name else _named(name, 0)


def open_inference_provider(name: str | None) -> str | None:
    """The value of ``llm.provider``."""
    return None if not name else _named(name, 1)


def _named(name: str, column: int) -> str:
    lower = name.strip().lower()
    known = _NAMES.get("".join(filter(str.isalnum, lower)))
    return lower if known is None else known[column]
