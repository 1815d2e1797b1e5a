"""Sends one span with the SDK of a vendor, as its documentation has it: ``python sdk_calls.py VENDOR URL``.

A program of its own: some of these SDKs change the whole process.
"""

import sys


def langfuse(url: str) -> None:
    from langfuse import Langfuse

    client = Langfuse(public_key="pk-lf-1", secret_key="sk-lf-abcdef", base_url=f"{url}/langfuse")
    client.start_observation(name="s", as_type="generation", input="i", output="o").end()
    client.flush()


def langwatch(url: str) -> None:
    import langwatch

    langwatch.setup(api_key="lw-abcdef", endpoint_url=f"{url}/langwatch")
    with langwatch.trace(name="s", metadata={"thread_id": "t"}), langwatch.span(name="inner", type="llm"):
        pass
    from opentelemetry import trace

    trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]


def langsmith(url: str) -> None:
    from langsmith.integrations.otel.processor import OtelExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter = OtelExporter(url=f"{url}/langsmith/otel/v1/traces", api_key="ls-abcdef", project="flows")
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("t").start_span("s").end()


def phoenix(url: str) -> None:
    from phoenix.otel import register

    provider = register(
        endpoint=f"{url}/phoenix/v1/traces",
        project_name="flows",
        api_key="px-abcdef",
        set_global_tracer_provider=False,
        verbose=False,
    )
    provider.get_tracer("t").start_span("s").end()
    provider.force_flush()


def opik(url: str) -> None:
    import opik

    client = opik.Opik(host=f"{url}/opik", api_key="op-abcdef", workspace="team", project_name="flows")
    client.trace(name="s", input={"i": 1}, output={"o": 1}, thread_id="t").end()
    client.flush(timeout=20)


if __name__ == "__main__":
    {one.__name__: one for one in (langfuse, langwatch, langsmith, phoenix, opik)}[sys.argv[1]](sys.argv[2])
