"""How vendors are set up, by settings and by their own variables, and what is said of it when it is wrong (TRACE-3)."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedplate.containers.doctor import examine
from bedplate.services.checks import Finding, Severity
from bedplate.services.database.factory import build_database
from bedplate.services.engines.redactor import Redactor
from bedplate.services.errors import ConfigurationError, MissingExtraError
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.tracing import TracingSettings
from bedplate.services.telemetry import TelemetryService
from bedplate.services.tracing import TracingService
from bedplate.services.tracing.factory import build_tracing
from bedplate.services.tracing.vendors.registry import VENDORS, content_allowed, service_name, set_up

OWN = {
    "otlp": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_HEADERS": "a=b%2C1, c=d"},
    "langfuse": {
        "LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "sk-lf-2", "LANGFUSE_HOST": "https://l.example",
        "LANGFUSE_TRACING_ENVIRONMENT": "staging", "LANGFUSE_RELEASE": "r1",
    },
    "langwatch": {"LANGWATCH_API_KEY": "lw-1", "LANGWATCH_ENDPOINT": "https://w.example/"},
    "langsmith": {
        "LANGCHAIN_API_KEY": "ls-1", "LANGCHAIN_ENDPOINT": "https://s.example", "LANGCHAIN_PROJECT": "p",
        "LANGSMITH_WORKSPACE_ID": "w",
    },
    "phoenix": {
        "PHOENIX_COLLECTOR_ENDPOINT": "https://x.example/s/team", "PHOENIX_API_KEY": "px-1",
        "PHOENIX_PROJECT_NAME": "p", "PHOENIX_CLIENT_HEADERS": "x-a=1",
    },
    "opik": {"OPIK_API_KEY": "op-1", "OPIK_WORKSPACE": "w", "OPIK_PROJECT_NAME": "p"},
}  # fmt: skip
EVERY = {name: value for own in OWN.values() for name, value in own.items()}

Build = Callable[..., TracingService]
Doctor = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_vendor(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.startswith(tuple(vendor.prefix for vendor in VENDORS))]:
        monkeypatch.delenv(name)


@pytest.fixture
def build(tmp_path: Path, settings: SettingsService, redactor: Redactor, telemetry: TelemetryService) -> Build:
    database = build_database(settings, telemetry)  # not started: nothing is read or written

    def make(**tracing: Any) -> TracingService:
        return build_tracing(SettingsService(data_dir=tmp_path, tracing=tracing), telemetry, database, redactor)

    return make


@pytest.fixture
def doctor(tmp_path: Path, build: Build) -> Doctor:
    """What the checks of tracing find."""

    async def look(**tracing: Any) -> list[Finding]:
        settings = SettingsService(data_dir=tmp_path, tracing=tracing)
        return await examine({"tracing": build(**tracing)}, settings, {}, started=False, timeout=60)

    return look


def test_each_vendor_is_set_up_by_its_own_variables() -> None:
    """TRACE-3: as their documentation has them, aliases included; reading them changes nothing."""
    before = dict(os.environ)
    found = set_up(TracingSettings(), EVERY)
    assert not found.problems
    urls = {name: one.url for name, one in found.destinations.items()}
    assert urls == {
        "otlp": "http://c:4318/v1/traces",
        "langfuse": "https://l.example/api/public/otel/v1/traces",
        "langwatch": "https://w.example/api/otel/v1/traces",
        "langsmith": "https://s.example/otel/v1/traces",
        "phoenix": "https://x.example/s/team/v1/traces",
        "opik": "https://www.comet.com/opik/api/v1/private/otel/v1/traces",
    }
    headers = {name: dict(one.headers) for name, one in found.destinations.items()}
    assert headers["otlp"] == {"a": "b,1", "c": "d"}
    assert headers["langsmith"] == {"x-api-key": "ls-1", "Langsmith-Project": "p", "X-Tenant-Id": "w"}
    assert headers["phoenix"] == {"x-a": "1", "Authorization": "Bearer px-1"}
    assert headers["opik"] == {"Authorization": "op-1", "Comet-Workspace": "w", "projectName": "p"}
    assert found.destinations["langfuse"].resource == {"langfuse.environment": "staging", "langfuse.release": "r1"}
    assert not found.by_settings
    assert dict(os.environ) == before


@pytest.mark.parametrize("vendor", OWN)
def test_one_vendor_alone(vendor: str) -> None:
    assert list(set_up(TracingSettings(), OWN[vendor]).destinations) == [vendor]
    assert not set_up(TracingSettings(vendor_environment=False), OWN[vendor]).destinations


def test_a_setting_goes_before_a_variable() -> None:
    settings = TracingSettings(langwatch_endpoint="https://mine.example", otlp_endpoint="http://own:1/v1/traces")
    found = set_up(settings, EVERY | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://other/"})
    assert found.destinations["langwatch"].url == "https://mine.example/api/otel/v1/traces"
    assert found.destinations["otlp"].url == "http://own:1/v1/traces"
    assert found.by_settings == {"langwatch", "otlp"}


def test_the_endpoint_of_traces_is_used_as_it_is() -> None:
    """TRACE-3: as the specification of the exporter says; and the variables of traces go before those of all."""
    variables = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t.example/some/path",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://a.example",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x=1",
        "OTEL_EXPORTER_OTLP_HEADERS": "y=2",
        "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "gzip",
    }
    one = set_up(TracingSettings(), variables).destinations["otlp"]
    assert (one.url, dict(one.headers), one.gzip) == ("https://t.example/some/path", {"x": "1"}, True)


@pytest.mark.parametrize(
    ("vendor", "switch"),
    [
        ("langfuse", {"LANGFUSE_TRACING_ENABLED": "false"}),
        ("langsmith", {"LANGSMITH_TRACING": "false"}),
        ("langsmith", {"LANGCHAIN_TRACING_V2": "0"}),
        ("opik", {"OPIK_TRACK_DISABLE": "true"}),
        ("otlp", {"OTEL_SDK_DISABLED": "true"}),
        ("otlp", {"OTEL_TRACES_EXPORTER": "none"}),
    ],
)
def test_what_a_vendor_has_to_switch_it_off_is_heeded(vendor: str, switch: dict[str, str]) -> None:
    assert vendor not in set_up(TracingSettings(), EVERY | switch).destinations


WRONG = {
    "half a pair of keys": ({"LANGFUSE_PUBLIC_KEY": "pk-lf-1"}, "langfuse", "LANGFUSE_SECRET_KEY"),
    "keys swapped": ({"LANGFUSE_PUBLIC_KEY": "sk-lf-1", "LANGFUSE_SECRET_KEY": "pk-lf-2"}, "langfuse", "swap"),
    "no URL": ({"LANGWATCH_API_KEY": "k", "LANGWATCH_ENDPOINT": "localhost:5560"}, "langwatch", "LANGWATCH_ENDPOINT"),
    "no port": ({"PHOENIX_COLLECTOR_ENDPOINT": "http://x:port"}, "phoenix", "PHOENIX_COLLECTOR_ENDPOINT"),
    "a line break in a key": ({"OPIK_API_KEY": "a\nb"}, "opik", "OPIK_API_KEY"),
    "no headers": (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "Bearer x"},
        "otlp",
        "OTEL_EXPORTER_OTLP_HEADERS",
    ),
    "no certificate": (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such.pem"},
        "otlp",
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
    ),
    "gRPC": (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        "otlp",
        "http/protobuf",
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_in_the_environment_is_named_and_stops_nothing(
    case: str, build: Build, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRACE-3: one finding, with the variable and a fix; that vendor is not told, the others are."""
    variables, vendor, named = WRONG[case]
    for name, value in (variables | {"LANGSMITH_API_KEY": "ls-1"}).items():
        monkeypatch.setenv(name, value)
    assert build().vendors == ["langsmith"]
    (finding,) = [one for one in await doctor() if one.check == "tracing.vendor-unusable"]
    assert finding.what.startswith(f"{vendor} is not told of runs: ")
    assert named in finding.what + finding.fix


@pytest.mark.parametrize(
    "wrong",
    [
        {"langfuse_public_key": "pk-lf-1"},
        {"langwatch_api_key": "k", "langwatch_endpoint": "nowhere"},
        {"otlp_endpoint": "nowhere"},
        {"opik_url": "ftp://x"},
    ],
)
def test_what_is_wrong_in_the_settings_is_an_error(wrong: dict[str, Any], build: Build) -> None:
    """TRACE-3: what is set for Bedplate is meant for it."""
    with pytest.raises(ConfigurationError) as caught:
        build(**wrong)
    assert "BEDPLATE_TRACING__" in str(caught.value)
    assert build(**wrong, backend="off").vendors == ()


async def test_a_key_that_two_vendors_share_is_told(doctor: Doctor) -> None:
    """TRACE-3: one of the two was given a key that belongs to the other."""
    findings = await doctor(langsmith_api_key="one-key-for-all", opik_api_key="one-key-for-all")
    (finding,) = [one for one in findings if one.check == "tracing.vendor-same-key"]
    assert "langsmith and opik" in finding.what
    assert "one-key" not in str(finding)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("LANGFUSE_PUBLC_KEY", "LANGFUSE_PUBLIC_KEY"),
        ("LANGSMTIH_API_KEY", "LANGSMITH_API_KEY"),
        ("PHOENIX_COLECTOR_ENDPOINT", "PHOENIX_COLLECTOR_ENDPOINT"),
        ("OTEL_EXPORTER_OTLP_ENDPIONT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)
async def test_a_misspelt_variable_is_told(
    wrong: str, right: str, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRACE-3: with the one that was meant."""
    monkeypatch.setenv(wrong, "x")
    monkeypatch.setenv("LANGFUSE_DEBUG", "false")
    findings = [one for one in await doctor() if one.check == "tracing.vendor-typo"]
    assert [(wrong in one.what, one.fix) for one in findings] == [(True, f"did you mean {right}?")]


async def test_the_doctor_tells_of_plain_http_and_of_missing_content(doctor: Doctor) -> None:
    findings = await doctor(langwatch_api_key="lw-1", langwatch_endpoint="http://langwatch.example")
    found = {one.check: one.severity for one in findings}
    assert found == {
        "tracing.vendor-plain-http": Severity.WARNING,
        "tracing.vendor-without-content": Severity.NOTE,
    }
    assert not await doctor(langwatch_api_key="lw-1", langwatch_endpoint="http://127.0.0.1:5560", vendor_content=False)


async def test_vendors_alone_without_a_vendor(doctor: Doctor) -> None:
    assert [one.check for one in await doctor(backend="vendors")] == ["tracing.vendors-missing"]


async def test_variables_in_the_file_env_are_told(
    tmp_path: Path, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRACE-3: they are not read from there, which one would not notice."""
    (tmp_path / ".env").write_text("LANGWATCH_API_KEY=lw-1\nOTHER=1\n")
    monkeypatch.chdir(tmp_path)
    (finding,) = await doctor()
    assert finding.check == "tracing.vendor-in-file"
    assert "LANGWATCH_API_KEY" in finding.what


@pytest.fixture
def without_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith("bedplate.services.tracing.vendors")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [one for one in sys.modules if one.partition(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Hiding(), *sys.meta_path])


class _Hiding:
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.usefixtures("without_opentelemetry")
async def test_a_missing_library_is_named_with_its_extra(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRACE-3: an error for what the settings ask for; for what the environment asks for, a finding."""
    with pytest.raises(MissingExtraError) as caught:
        build(langwatch_api_key="lw-1")
    assert caught.value.fix == "pip install 'bedplate[langwatch]'"
    monkeypatch.setenv("LANGSMITH_API_KEY", "ls-1")
    assert build().vendors == ()


def test_whether_content_may_be_told() -> None:
    name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    assert not content_allowed(TracingSettings(), {})
    assert content_allowed(TracingSettings(), {name: "true"})
    assert content_allowed(TracingSettings(), {name: "SPAN_ONLY"})
    assert not content_allowed(TracingSettings(), {name: "event_only"})
    assert not content_allowed(TracingSettings(vendor_content=False), {name: "true"})
    assert not content_allowed(TracingSettings(vendor_environment=False), {name: "true"})


def test_the_name_of_the_service() -> None:
    assert service_name({}) == "bedplate"
    assert service_name({"OTEL_SERVICE_NAME": "mine"}) == "mine"
    assert service_name({"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=my%20own"}) == "my own"


def test_credentials_are_masked_and_shown_nowhere(
    build: Build, redactor: Redactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRACE-4: those of the environment too."""
    monkeypatch.setenv("LANGWATCH_API_KEY", "a-key-of-langwatch")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20a-token-of-otlp")
    build()
    assert "a-key" not in redactor.text("it is a-key-of-langwatch")
    assert "a-token" not in redactor.text("Bearer a-token-of-otlp")
    found = set_up(TracingSettings(), os.environ)
    assert "a-key" not in repr(found)


def test_without_vendors_nothing_of_theirs_is_imported(tmp_path: Path) -> None:
    """TRACE-3: a start without vendors costs what it did."""
    import subprocess

    code = (
        "import sys; from bedplate.containers import ApplicationContainer; ApplicationContainer().tracing();"
        "theirs = ('opentelemetry.sdk', 'opentelemetry.exporter', 'bedplate.services.tracing.vendors');"
        "print([name for name in sys.modules if name.startswith(theirs)])"
    )
    environment = os.environ | {"BEDPLATE_DATA_DIR": str(tmp_path), "BEDPLATE_TELEMETRY__LOG_LEVEL": "error"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, text=True, check=True)
    assert done.stdout.strip() == "[]"
