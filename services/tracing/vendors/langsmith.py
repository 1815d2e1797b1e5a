"""LangSmith, by its endpoint of OTLP.

See https://docs.langchain.com/langsmith/trace-with-opentelemetry.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from bedplate.services.tracing.models import SpanKind
from bedplate.services.tracing.vendors.sources import Sources
from bedplate.services.tracing.vendors.step import Attributes, Step
from bedplate.services.tracing.vendors.texts import text_of
from bedplate.services.tracing.vendors.vendor import Destination, Vendor

__all__ = ["LangSmith"]

_KINDS: Final[Mapping[SpanKind, str]] = {
    SpanKind.LLM: "llm",
    SpanKind.EMBEDDING: "embedding",
    SpanKind.RETRIEVER: "retriever",
    SpanKind.TOOL: "tool",
    SpanKind.PROMPT: "prompt",
}
_SWITCHES: Final = ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2")


class LangSmith(Vendor):
    """Set up by its key; the older names of its variables are read too."""

    name: ClassVar[str] = "langsmith"
    title: ClassVar[str] = "LangSmith"
    prefix: ClassVar[str] = "LANGSMITH_"
    variables: ClassVar[tuple[str, ...]] = (
        "LANGSMITH_API_KEY",
        "LANGSMITH_ENDPOINT",
        "LANGSMITH_PROJECT",
        "LANGSMITH_WORKSPACE_ID",
        "LANGSMITH_TRACING",
    )

    def destination(self, sources: Sources) -> Destination | None:
        """See :class:`~bedplate.services.tracing.vendors.vendor.Vendor`."""
        key = sources.text("langsmith_api_key", "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY")
        if not key or sources.says(False, *_SWITCHES):
            return None
        url = sources.text("langsmith_endpoint", "LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT")
        project = sources.text("langsmith_project", "LANGSMITH_PROJECT", "LANGCHAIN_PROJECT")
        workspace = sources.variable("LANGSMITH_WORKSPACE_ID")
        headers = {"x-api-key": sources.header(key)}
        if project:
            headers["Langsmith-Project"] = sources.header(project)
        if workspace:
            headers["X-Tenant-Id"] = sources.header(workspace)
        return Destination(
            url=f"{sources.url(url, 'https://api.smith.langchain.com')}/otel/v1/traces",
            headers=headers,
            credentials=(key.value,),
            set_by=(key.name, url.name),
        )

    def attributes(self, step: Step) -> Attributes:
        """See :class:`~bedplate.services.tracing.vendors.vendor.Vendor`."""
        told = super().attributes(step)
        told["langsmith.span.kind"] = _KINDS.get(step.kind, "chain")
        told["langsmith.trace.name"] = step.record.name
        told |= {
            f"langsmith.metadata.{name}": text_of(value) for name, value in step.metadata.items() if value is not None
        }
        told["langsmith.metadata.user_id"] = str(step.run.user_id)
        if step.run.session_id is not None:
            # Threads are put together by it; ``langsmith.trace.session_id`` is a project there.
            told["langsmith.metadata.session_id"] = step.run.session_id
        if step.inputs is not None:
            told["gen_ai.prompt"] = step.inputs
        if step.outputs is not None:
            told["gen_ai.completion"] = step.outputs
        return told
