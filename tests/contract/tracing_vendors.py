"""How each vendor reads what it is told, and tracing services that tell vendors which are a collector."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from tests.servers.otlp import Collector, Span

from bedplate.services.tracing import TracingService

__all__ = ["VENDORS", "MakeTold", "Reads", "spans_of", "vendor_settings"]

MakeTold = Callable[..., Awaitable[TracingService]]


class Reads(msgspec.Struct, frozen=True, kw_only=True):
    """Where a vendor's server looks, by its documentation.

    Attributes:
        path: The end of what its spans are posted to.
        headers: What each request must have.
        inputs: The attribute with what a step was given.
        outputs: The attribute with what it gave.
        session: The attribute with the session.
        user: The attribute with the user.
        kind: The attribute with what a step is.
        llm: What that is for a language model.
        usage: What tells the tokens: by attribute, for 3 of the prompt and 4 of the answer.
        resource: What the resource must say.
        encoding: ``Content-Encoding`` of the requests.
    """

    path: str
    headers: Mapping[str, str]
    inputs: str
    outputs: str
    session: str
    user: str
    kind: str
    llm: str
    usage: Mapping[str, Any]
    resource: Mapping[str, str] = {}
    encoding: str = ""


_GEN_AI: Final = {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4}

VENDORS: Final[Mapping[str, Reads]] = {
    "otlp": Reads(
        path="/plain/v1/traces",
        headers={"x-team": "flows, all"},
        inputs="input.value",
        outputs="output.value",
        session="gen_ai.conversation.id",
        user="user.id",
        kind="gen_ai.operation.name",
        llm="chat",
        usage=_GEN_AI,
        resource={"service.name": "bedplate"},
    ),
    "langfuse": Reads(
        path="/langfuse/api/public/otel/v1/traces",
        # base64 of pk-lf-1:sk-lf-abcdef
        headers={"authorization": "Basic cGstbGYtMTpzay1sZi1hYmNkZWY=", "x-langfuse-ingestion-version": "4"},
        inputs="langfuse.observation.input",
        outputs="langfuse.observation.output",
        session="session.id",
        user="user.id",
        kind="langfuse.observation.type",
        llm="generation",
        usage={"langfuse.observation.usage_details": '{"input":3,"output":4}'},
        encoding="gzip",
    ),
    "langwatch": Reads(
        path="/langwatch/api/otel/v1/traces",
        headers={"authorization": "Bearer lw-abcdef", "x-auth-token": "lw-abcdef"},
        inputs="langwatch.input",
        outputs="langwatch.output",
        session="langwatch.thread.id",
        user="langwatch.user.id",
        kind="langwatch.span.type",
        llm="llm",
        usage=_GEN_AI,
    ),
    "langsmith": Reads(
        path="/langsmith/otel/v1/traces",
        headers={"x-api-key": "ls-abcdef", "langsmith-project": "flows"},
        inputs="gen_ai.prompt",
        outputs="gen_ai.completion",
        session="langsmith.metadata.session_id",
        user="langsmith.metadata.user_id",
        kind="langsmith.span.kind",
        llm="llm",
        usage=_GEN_AI,
    ),
    "phoenix": Reads(
        path="/phoenix/v1/traces",
        headers={"authorization": "Bearer px-abcdef"},
        inputs="input.value",
        outputs="output.value",
        session="session.id",
        user="user.id",
        kind="openinference.span.kind",
        llm="LLM",
        usage={"llm.token_count.prompt": 3, "llm.token_count.completion": 4, "llm.token_count.total": 7},
        resource={"openinference.project.name": "flows"},
    ),
    "opik": Reads(
        path="/opik/v1/private/otel/v1/traces",
        headers={"authorization": "op-abcdef", "comet-workspace": "team", "projectname": "flows"},
        inputs="input.value",
        outputs="output.value",
        session="thread_id",
        user="opik.metadata.user_id",
        kind="openinference.span.kind",
        llm="LLM",
        usage=_GEN_AI,
    ),
}


def vendor_settings(url: str) -> dict[str, Any]:
    """The settings that set every vendor up, with its server at this URL."""
    return {
        "otlp_endpoint": f"{url}/plain",
        "otlp_headers": "x-team=flows%2C%20all",
        "langfuse_public_key": "pk-lf-1",
        "langfuse_secret_key": "sk-lf-abcdef",
        "langfuse_base_url": f"{url}/langfuse",
        "langwatch_api_key": "lw-abcdef",
        "langwatch_endpoint": f"{url}/langwatch",
        "langsmith_api_key": "ls-abcdef",
        "langsmith_endpoint": f"{url}/langsmith",
        "langsmith_project": "flows",
        "phoenix_endpoint": f"{url}/phoenix/",
        "phoenix_api_key": "px-abcdef",
        "phoenix_project": "flows",
        "opik_api_key": "op-abcdef",
        "opik_url": f"{url}/opik",
        "opik_workspace": "team",
        "opik_project": "flows",
    }


def spans_of(collector: Collector, vendor: str) -> dict[str, Span]:
    """What a vendor was told, by the name of the span."""
    return {span.name: span for span in tuple(collector.spans) if span.path == VENDORS[vendor].path}
