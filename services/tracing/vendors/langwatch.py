"""LangWatch, by its endpoint of OTLP.

See https://docs.langwatch.ai/integration/opentelemetry/guide.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import orjson

from bedplate.services.tracing.models import SpanKind
from bedplate.services.tracing.vendors.sources import Sources
from bedplate.services.tracing.vendors.step import Attributes, Step
from bedplate.services.tracing.vendors.vendor import Destination, Vendor

__all__ = ["LangWatch"]

_TYPES: Final[Mapping[SpanKind, str]] = {
    SpanKind.LLM: "llm",
    SpanKind.RETRIEVER: "rag",
    SpanKind.TOOL: "tool",
    SpanKind.AGENT: "agent",
    SpanKind.GUARDRAIL: "guardrail",
    SpanKind.EVALUATOR: "evaluation",
    SpanKind.CHAIN: "chain",
}


class LangWatch(Vendor):
    """Set up by its key."""

    name: ClassVar[str] = "langwatch"
    title: ClassVar[str] = "LangWatch"
    prefix: ClassVar[str] = "LANGWATCH_"
    variables: ClassVar[tuple[str, ...]] = ("LANGWATCH_API_KEY", "LANGWATCH_ENDPOINT")

    def destination(self, sources: Sources) -> Destination | None:
        """See :class:`~bedplate.services.tracing.vendors.vendor.Vendor`."""
        key = sources.text("langwatch_api_key", "LANGWATCH_API_KEY")
        if not key:
            return None
        url = sources.text("langwatch_endpoint", "LANGWATCH_ENDPOINT")
        secret = sources.header(key)
        return Destination(
            url=f"{sources.url(url, 'https://app.langwatch.ai')}/api/otel/v1/traces",
            headers={"Authorization": f"Bearer {secret}", "X-Auth-Token": secret},
            credentials=(secret,),
            set_by=(key.name, url.name),
        )

    def attributes(self, step: Step) -> Attributes:
        """See :class:`~bedplate.services.tracing.vendors.vendor.Vendor`."""
        told = super().attributes(step)
        told["langwatch.span.type"] = "workflow" if step.is_root else _TYPES.get(step.kind, "component")
        told["langwatch.user.id"] = str(step.run.user_id)
        if step.run.session_id is not None:
            told["langwatch.thread.id"] = step.run.session_id
        if step.inputs is not None:
            told["langwatch.input"] = _typed(step.record.inputs, step.inputs)
        if step.outputs is not None:
            told["langwatch.output"] = _typed(step.record.outputs, step.outputs)
        usage = step.record.usage
        if "gen_ai.usage.input_tokens" in told:
            counted = {"promptTokens": usage.input_tokens, "completionTokens": usage.output_tokens}
            told["langwatch.metrics"] = orjson.dumps({"type": "json", "value": counted}).decode()
        return told


def _typed(value: Any, text: str) -> str:
    if isinstance(value, str):
        return orjson.dumps({"type": "text", "value": text}).decode()
    return orjson.dumps({"type": "json", "value": orjson.Fragment(text)}).decode()
