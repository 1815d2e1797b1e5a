"""What the vendors' own SDKs send goes where Bedplate's spans go, with the same credentials (TRACE-3)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.tracing_vendors import VENDORS
from tests.servers.otlp import Collector

_PROGRAM = Path(__file__).parent / "sdk_calls.py"
_CREDENTIALS = frozenset({"authorization", "x-api-key", "x-auth-token", "langsmith-project", "comet-workspace"})


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("vendor", ["langfuse", "langwatch", "langsmith", "phoenix", "opik"])
def test_the_sdk_of_the_vendor_sends_to_the_same_place(vendor: str, otlp: Collector, tmp_path: Path) -> None:
    """TRACE-3: the real SDK, against a recording server: path, credentials, project and form of the request."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("LANG", "PHOENIX_", "OPIK_", "OTEL_"))
    } | {"HOME": str(tmp_path), "OPIK_SENTRY_ENABLE": "false", "LANGWATCH_DISABLE_TELEMETRY": "true"}
    # Some hang at exit for a while when a question beside the spans is not answered as they like: what counts is sent.
    done = subprocess.run(
        [sys.executable, str(_PROGRAM), vendor, otlp.url],
        env=environment,
        capture_output=True,
        timeout=200,
        check=False,
    )
    reads = VENDORS[vendor]
    paths = [one.path for one in otlp.requests]
    # The one that has no exporter of its own for OTLP sends JSON beside the endpoint that it documents.
    path = reads.path if vendor != "opik" else "/opik/v1/private/traces/batch"
    sent = [one for one in otlp.requests if one.path == path]
    assert sent, (paths, done.stderr[-2000:])
    for name in _CREDENTIALS & reads.headers.keys():
        assert sent[0].headers[name] == reads.headers[name]
    if vendor != "opik":
        spans = [span for span in otlp.spans if span.path == path]
        assert "s" in {span.name for span in spans}
        assert (reads.resource.items() - {("service.name", "bedplate")}) <= spans[0].resource.items()
        assert sent[0].headers.get("content-encoding", "") == reads.encoding
