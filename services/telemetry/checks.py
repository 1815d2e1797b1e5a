"""What the doctor looks at on behalf of the telemetry service."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from bedplate.services.checks import Check, Severity, Surroundings, Trouble, check, is_public

__all__ = ["CHECKS"]

_FEWEST_CHARACTERS = 16


@check("telemetry.token-in-clear", Severity.WARNING, "The scrape token does not travel in clear")
def _token_in_clear(_telemetry: Any, around: Surroundings) -> Iterator[Trouble]:
    if around.public and around.values.telemetry.scrape_token is not None:
        yield Trouble(
            f"the server listens on {around.values.server.host} without TLS of its own, and scrapers send it a token",
            fix="let scrapers come through the proxy that ends TLS, or listen on 127.0.0.1 behind it",
        )


@check("telemetry.short-token", Severity.ERROR, "The scrape token cannot be guessed")
def _short_token(_telemetry: Any, around: Surroundings) -> Iterator[Trouble]:
    token = around.values.telemetry.scrape_token
    if token is not None and len(token) < _FEWEST_CHARACTERS:
        yield Trouble(
            f"BEDPLATE_TELEMETRY__SCRAPE_TOKEN has {len(token)} characters",
            fix="make one with: openssl rand -hex 32",
        )


@check(
    "telemetry.report-behind-proxy", Severity.WARNING, "What is open to this machine is not open to a proxy's clients"
)
def _report_behind_proxy(_telemetry: Any, around: Surroundings) -> Iterator[Trouble]:
    if around.public and around.values.server.services_report_loopback:
        yield Trouble(
            "metrics and the report of services are open to callers on this machine, a proxy among them",
            fix="set BEDPLATE_SERVER__SERVICES_REPORT_LOOPBACK=false, and give scrapers a token",
        )


@check("telemetry.debug-log", Severity.WARNING, "A public server does not log as for debugging")
def _debug_log(_telemetry: Any, around: Surroundings) -> Iterator[Trouble]:
    if around.public and around.values.telemetry.log_level == "debug":
        yield Trouble(
            "the log level is debug: the log says more than is good, and costs more",
            fix="set BEDPLATE_TELEMETRY__LOG_LEVEL=info",
        )


@check("telemetry.key-in-clear", Severity.WARNING, "The key of an OpenTelemetry collector does not travel in clear")
def _key_in_clear(_telemetry: Any, around: Surroundings) -> Iterator[Trouble]:
    if around.values.telemetry.backend != "otlp":
        return
    # Imported where it is used: most starts have no collector.
    from bedplate.services.telemetry.otlp_options import read_options

    sent = {
        one.collector: one.origin
        for one in read_options(around.settings.environment("OTEL_")).signals.values()
        if one.headers and one.endpoint.startswith("http:") and is_public(urlsplit(one.endpoint).hostname or "")
    }
    for collector, origin in sent.items():
        yield Trouble(
            f"the headers of OTEL_EXPORTER_OTLP_HEADERS are sent to {collector} over plain HTTP",
            fix=f"use an https:// URL in {origin}",
        )


CHECKS: tuple[Check, ...] = (_token_in_clear, _short_token, _report_behind_proxy, _debug_log, _key_in_clear)
