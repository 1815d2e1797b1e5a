"""Langfuse, by its endpoint of OTLP.

See https://langfuse.com/integrations/native/opentelemetry.
"""

import base64
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import orjson

from bedplate.services.tracing.models import SpanKind
from bedplate.services.tracing.vendors.sources import Sources, VendorProblem
from bedplate.services.tracing.vendors.step import Attributes, Step
from bedplate.services.tracing.vendors.texts import text_of
from bedplate.services.tracing.vendors.vendor import Destination, Vendor

__all__ = ["Langfuse"]

_TYPES: Final[Mapping[SpanKind, str]] = {
    SpanKind.LLM: "generation",
    SpanKind.EMBEDDING: "embedding",
    SpanKind.RETRIEVER: "retriever",
    SpanKind.TOOL: "tool",
    SpanKind.AGENT: "agent",
    SpanKind.GUARDRAIL: "guardrail",
    SpanKind.EVALUATOR: "evaluator",
    SpanKind.CHAIN: "chain",
}


class Langfuse(Vendor):
    """Set up by its two keys."""

    name: ClassVar[str] = "langfuse"
    title: ClassVar[str] = "Langfuse"
    prefix: ClassVar[str] = "LANGFUSE_"
    variables: ClassVar[tuple[str, ...]] = (
        "LANGFUSE_PUBLIC_KEY",
        "LANGFUSE_SECRET_KEY",
        "LANGFUSE_BASE_URL",
        "LANGFUSE_HOST",
        "LANGFUSE_TRACING_ENABLED",
        "LANGFUSE_TRACING_ENVIRONMENT",
        "LANGFUSE_RELEASE",
    )

    def destination(self, sources: Sources) -> Destination | None:
        """See :class:`~bedplate.services.tracing.vendors.vendor.Vendor`."""
        public = sources.text("langfuse_public_key", "LANGFUSE_PUBLIC_KEY")
        secret = sources.text("langfuse_secret_key", "LANGFUSE_SECRET_KEY")
        if not (public or secret) or sources.says(False, "LANGFUSE_TRACING_ENABLED"):
            return None
        if not public or not secret:
            there, missing = (public, secret) if public else (secret, public)
            raise VendorProblem(f"{there.name} is set and {missing.name} is not", f"set {missing.name}, or neither")
        if public.value.startswith("sk-lf-") or secret.value.startswith("pk-lf-"):
            raise VendorProblem(
                "the secret key stands where the public one belongs, or the other way round",
                f"swap {public.name} and {secret.name}",
            )
        keys = f"{sources.header(public)}:{sources.header(secret)}"
        url = sources.text("langfuse_base_url", "LANGFUSE_BASE_URL", "LANGFUSE_HOST")
        return Destination(
            url=f"{sources.url(url, 'https://cloud.langfuse.com')}/api/public/otel/v1/traces",
            headers={
                "Authorization": "Basic " + base64.b64encode(keys.encode()).decode(),
                "x-langfuse-ingestion-version": "4",
                "x-langfuse-public-key": public.value,
            },
            credentials=(secret.value,),
            set_by=(public.name, secret.name, url.name),
            resource={
                name: found.value
                for name, found in (
                    ("langfuse.environment", sources.variable("LANGFUSE_TRACING_ENVIRONMENT")),
                    ("langfuse.release", sources.variable("LANGFUSE_RELEASE")),
                )
                if found
            },
            gzip=True,
        )

    def attributes(self, step: Step) -> Attributes:
        """See :class:`~bedplate.services.tracing.vendors.vendor.Vendor`."""
        told = super().attributes(step)
        told["langfuse.trace.name"] = step.run.name
        told["langfuse.observation.type"] = _TYPES.get(step.kind, "span")
        told |= _metadata("langfuse.observation.metadata", step.metadata)
        if step.is_root:
            told |= _metadata("langfuse.trace.metadata", step.metadata)
        if step.inputs is not None:
            told["langfuse.observation.input"] = step.inputs
        if step.outputs is not None:
            told["langfuse.observation.output"] = step.outputs
        if step.failed:
            told["langfuse.observation.level"] = "ERROR"
            told["langfuse.observation.status_message"] = step.record.error or step.record.status.value
        usage = step.record.usage
        if "gen_ai.usage.input_tokens" in told:
            counted = {"input": usage.input_tokens, "output": usage.output_tokens}
            told["langfuse.observation.usage_details"] = orjson.dumps(counted).decode()
        if "gen_ai.request.model" in told:
            told["langfuse.observation.model.name"] = told["gen_ai.request.model"]
        return told


def _metadata(prefix: str, metadata: Mapping[str, Any]) -> Attributes:
    return {f"{prefix}.{name}": text_of(value) for name, value in metadata.items() if value is not None}
