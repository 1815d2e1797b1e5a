"""AUTH-7: what a cookie authenticates and that changes something comes from a page of ours."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedplate.services.auth import AuthService, check_origin
from bedplate.services.auth.errors import OriginNotAllowedError
from bedplate.services.auth.factory import build_auth
from bedplate.services.auth.policy import OwnershipPolicy
from bedplate.services.database import DatabaseService
from bedplate.services.engines.http import HttpEngine
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

MakeAuth = Callable[..., Awaitable[AuthService]]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:7860", "localhost:7860"),
        ("http://127.0.0.1:7860", "127.0.0.1:7860"),
        ("http://[::1]:7860", "[::1]:7860"),
        ("https://flows.example.org", "flows.example.org"),
        ("https://flows.example.org", "flows.example.org:443"),
        ("http://flows.example.org", "flows.example.org:80"),
        ("https://Flows.Example.org", "flows.example.ORG"),
        ("https://app.example.org", "flows.example.org"),
        ("https://app.example.org:443", "flows.example.org"),
        ("http://dev.example.org:3000", "flows.example.org"),
    ],
)
def test_the_servers_own_pages_and_allowed_origins_pass(origin: str, host: str) -> None:
    """AUTH-7"""
    check_origin(origin, host, ("https://app.example.org/", "http://dev.example.org:3000"))


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "*",
        "flows.example.org",
        "//flows.example.org",
        "https://evil.example",
        "https://flows.example.org.evil.example",
        "https://evil.example/flows.example.org",
        "https://flows.example.org@evil.example",
        "https://evil.example#flows.example.org",
        "https://flows.example.org:8443",
        "https://sub.flows.example.org",
        "https://example.org",
        "http://app.example.org",
        "https://app.example.org:444",
        "https://app.example.org.",
        "ftp://flows.example.org",
        "file://flows.example.org",
        "https://flows.example.org:port",
        "https://[flows.example.org",
        "https://user@flows.example.org",
    ],
)
def test_other_origins_are_refused(origin: str | None) -> None:
    """AUTH-7: an origin that is missing, opaque, similar or on another port."""
    with pytest.raises(OriginNotAllowedError):
        check_origin(origin, "flows.example.org", ("https://app.example.org", "*", "null", ""))


@pytest.mark.parametrize("host", [None, "", "evil.example", "evil.example/flows.example.org", "user@flows.example.org"])
def test_without_a_plain_host_nothing_is_our_own(host: str | None) -> None:
    with pytest.raises(OriginNotAllowedError):
        check_origin("https://flows.example.org", host)


@given(origin=st.text(max_size=60), host=st.text(max_size=60))
def test_whatever_is_sent_the_answer_is_one_kind_of_error(origin: str, host: str) -> None:
    """AUTH-7: never another exception, and only what names the host itself passes."""
    try:
        check_origin(origin, host)
    except OriginNotAllowedError:
        return
    assert origin.casefold().startswith(("http://", "https://"))


async def test_the_service_knows_the_allowed_origins(
    tmp_path: Path, database: DatabaseService, keyring: Keyring, workers: Workers, telemetry: TelemetryService
) -> None:
    """AUTH-7: those of the server's settings."""
    settings = SettingsService(profile="test", data_dir=tmp_path, server={"cors_origins": ["https://app.example.org"]})
    auth = build_auth(settings, telemetry, database, keyring, workers, HttpEngine(), OwnershipPolicy())
    auth.check_origin("https://app.example.org", "flows.example.org")
    auth.check_origin("http://flows.example.org", "flows.example.org")
    with pytest.raises(OriginNotAllowedError):
        auth.check_origin("https://evil.example", "flows.example.org")
