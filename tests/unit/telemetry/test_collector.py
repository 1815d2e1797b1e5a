"""The collector of the tests decodes what the real exporters send, and fails as it is told to."""

import urllib.error
import urllib.request

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode
from tests.servers.otlp import Collector


def _spans() -> InMemorySpanExporter:
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "a service"}))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("a scope")
    with tracer.start_as_current_span("root"), tracer.start_as_current_span("child") as child:
        child.set_attributes({"text": "words", "number": 7, "list": [1, 2]})
        child.add_event("happened", {"when": "now"})
        child.set_status(Status(StatusCode.ERROR, "it failed"))
    return kept


@pytest.mark.parametrize("compression", Compression)
def test_spans_are_decoded(otlp: Collector, compression: Compression) -> None:
    exporter = OTLPSpanExporter(
        f"{otlp.url}/of/a/vendor/v1/traces", headers={"x-key": "value"}, compression=compression
    )
    assert exporter.export(_spans().get_finished_spans()) is SpanExportResult.SUCCESS

    child, root = otlp.spans
    assert (root.name, root.parent_id, root.status) == ("root", "", "UNSET")
    assert (child.name, child.parent_id, child.trace_id) == ("child", root.span_id, root.trace_id)
    assert child.attributes == {"text": "words", "number": 7, "list": [1, 2]}
    assert child.events == [("happened", {"when": "now"})]
    assert (child.status, child.status_message, child.kind) == ("ERROR", "it failed", "INTERNAL")
    assert child.resource["service.name"] == "a service"
    assert child.path == "/of/a/vendor/v1/traces"
    assert otlp.requests[0].headers["x-key"] == "value"
    assert otlp.holds("it failed")
    assert not otlp.holds("another text")


def test_it_refuses_and_hangs_as_told(otlp: Collector) -> None:
    exporter = OTLPSpanExporter(f"{otlp.url}/v1/traces", timeout=0.5)
    spans = _spans().get_finished_spans()
    otlp.answer(401)
    assert exporter.export(spans) is SpanExportResult.FAILURE
    otlp.answer(200)
    otlp.hang()
    assert exporter.export(spans) is SpanExportResult.FAILURE
    otlp.release()
    otlp.forget()
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    otlp.wait(lambda: len(otlp.spans) == 2)


def test_what_is_no_protobuf_is_refused(otlp: Collector) -> None:
    request = urllib.request.Request(
        f"{otlp.url}/v1/metrics", data=b"\xff\xff\xff", headers={"Content-Type": "application/x-protobuf"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 400
    refused.value.close()
    assert otlp.undecodable == ["/v1/metrics"]
