"""What spans say under the conventions: GenAI of OpenTelemetry, and OpenInference.

The names are written down here and not imported: the package of OpenTelemetry calls them incubating and may move them,
and that of OpenInference comes with one vendor's extra. A test compares them with both packages.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bedplate.services.tracing.models import SpanKind, Status
from bedplate.services.tracing.vendors.documents import documents_of
from bedplate.services.tracing.vendors.messages import Message, input_messages, output_messages, query_of
from bedplate.services.tracing.vendors.providers import gen_ai_provider, open_inference_provider
from bedplate.services.tracing.vendors.texts import json_of

if TYPE_CHECKING:
    from bedplate.services.tracing.vendors.step import Step

__all__ = ["OPERATIONS", "SCHEMA_URL", "SEMANTIC_CONVENTIONS", "attributes", "error_type"]

SEMANTIC_CONVENTIONS: Final = "1.44.0"
"""The version of OpenTelemetry's conventions that the names are of; those of GenAI are in development there."""
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{SEMANTIC_CONVENTIONS}"

OPERATIONS: Final[Mapping[SpanKind, str]] = {
    SpanKind.LLM: "chat",
    SpanKind.EMBEDDING: "embeddings",
    SpanKind.RETRIEVER: "retrieval",
    SpanKind.TOOL: "execute_tool",
    SpanKind.AGENT: "invoke_agent",
}
"""``gen_ai.operation.name`` of each kind that has one; a run is ``invoke_workflow``."""

_MAX_ERROR_TYPE: Final = 128


def attributes(step: "Step") -> dict[str, Any]:
    """The attributes of a span; those that hold inputs and outputs only where that is allowed."""
    return {
        name: value
        for part in (_gen_ai(step), _open_inference(step), _content(step), _bedplate(step))
        for name, value in part.items()
        if value is not None and value != ""
    }


def error_type(step: "Step") -> str | None:
    """``error.type``: the class of the exception where there was one; None if nothing failed."""
    if not step.failed:
        return None
    kind = (step.record.error or "").partition(":")[0]
    return kind if kind.isidentifier() and len(kind) <= _MAX_ERROR_TYPE else "_OTHER"


def _gen_ai(step: "Step") -> dict[str, Any]:
    usage = step.record.usage
    counted = not step.is_root and (usage.input_tokens or usage.output_tokens)
    is_model = step.kind in (SpanKind.LLM, SpanKind.EMBEDDING)
    return {
        "gen_ai.operation.name": "invoke_workflow" if step.is_root else OPERATIONS.get(step.kind),
        "gen_ai.conversation.id": step.run.session_id,
        "gen_ai.workflow.name": step.run.name if step.is_root else None,
        "gen_ai.agent.name": step.record.name if step.kind is SpanKind.AGENT else None,
        "gen_ai.tool.name": step.record.name if step.kind is SpanKind.TOOL else None,
        "gen_ai.provider.name": gen_ai_provider(step.provider) if is_model else None,
        "gen_ai.request.model": step.model if is_model else None,
        "gen_ai.response.model": step.noted("response_model") if is_model else None,
        "gen_ai.response.finish_reasons": [reason] if (reason := step.noted("finish_reason")) and is_model else None,
        # Of a run they are the sum of its spans': vendors add up themselves, and would count them twice.
        "gen_ai.usage.input_tokens": usage.input_tokens if counted else None,
        "gen_ai.usage.output_tokens": usage.output_tokens if counted else None,
        "error.type": error_type(step),
        **({f"gen_ai.request.{name}": value for name, value in step.parameters.items()} if is_model else {}),
    }


def _open_inference(step: "Step") -> dict[str, Any]:
    usage = step.record.usage
    counted = not step.is_root and (usage.input_tokens or usage.output_tokens)
    is_model = step.kind in (SpanKind.LLM, SpanKind.EMBEDDING)
    return {
        "openinference.span.kind": step.kind.value,
        "session.id": step.run.session_id,
        "user.id": str(step.run.user_id),
        "llm.model_name": (step.noted("response_model") or step.model) if step.kind is SpanKind.LLM else None,
        "llm.provider": open_inference_provider(step.provider) if step.kind is SpanKind.LLM else None,
        "llm.finish_reason": step.noted("finish_reason") if step.kind is SpanKind.LLM else None,
        "embedding.model_name": step.model if step.kind is SpanKind.EMBEDDING else None,
        f"{'llm' if step.kind is SpanKind.LLM else 'embedding'}.invocation_parameters": (
            json_of(step.parameters) if is_model and step.parameters else None
        ),
        "llm.token_count.prompt": usage.input_tokens if counted else None,
        "llm.token_count.completion": usage.output_tokens if counted else None,
        "llm.token_count.total": usage.input_tokens + usage.output_tokens if counted else None,
        "tool.name": step.record.name if step.kind is SpanKind.TOOL else None,
        "metadata": json_of(step.metadata),
    }


def _content(step: "Step") -> dict[str, Any]:
    if not step.content:
        return {}
    told: dict[str, Any] = {}
    for side, text, value in (
        ("input", step.inputs, step.record.inputs),
        ("output", step.outputs, step.record.outputs),
    ):
        if text is not None:
            told[f"{side}.value"] = text
            told[f"{side}.mime_type"] = "text/plain" if isinstance(value, str) else "application/json"
    if step.kind is SpanKind.LLM:
        told |= _messages("input", input_messages(step.record.inputs, step.inputs))
        told |= _messages("output", output_messages(step.record.outputs, step.outputs), _finish_reason(step))
    if step.kind is SpanKind.RETRIEVER:
        told |= _documents(step)
    if step.kind is SpanKind.TOOL:
        told |= {"gen_ai.tool.call.arguments": step.inputs, "gen_ai.tool.call.result": step.outputs}
    return told


def _finish_reason(step: "Step") -> str:
    """Why an answer ended, which each has under the conventions: as the model said, else by how its step did."""
    known = step.noted("finish_reason")
    if known is not None:
        return {"tool_calls": "tool_call"}.get(known, known)
    return "error" if step.failed else "stop"


def _documents(step: "Step") -> dict[str, Any]:
    told: dict[str, Any] = {"gen_ai.retrieval.query.text": query_of(step.record.inputs)}
    documents = documents_of(step.record.outputs)
    for number, one in enumerate(documents):
        for name, value in (("content", one.content), ("id", one.id), ("score", one.score)):
            if value is not None:
                told[f"retrieval.documents.{number}.document.{name}"] = value
    if documents:
        told["gen_ai.retrieval.documents"] = msgspec.json.encode(documents).decode()
    return told


def _messages(side: str, messages: list[Message], finish_reason: str | None = None) -> dict[str, Any]:
    if not messages:
        return {}
    ended = {} if finish_reason is None else {"finish_reason": finish_reason}
    parts = [{"role": role, "parts": [{"type": "text", "content": text}], **ended} for role, text in messages]
    told: dict[str, Any] = {f"gen_ai.{side}.messages": json_of(parts)}
    for number, (role, text) in enumerate(messages):
        told[f"llm.{side}_messages.{number}.message.role"] = role
        told[f"llm.{side}_messages.{number}.message.content"] = text
    return told


def _bedplate(step: "Step") -> dict[str, Any]:
    status = step.record.status
    return {
        "bedplate.run.id": str(step.run.id),
        "bedplate.flow.id": None if step.run.flow_id is None else str(step.run.flow_id),
        "bedplate.status": None if status in (Status.OK, Status.ERROR) else status.value,
    }
