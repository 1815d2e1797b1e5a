"""Usage analytics: off, unless somebody asks for them; and then nothing but what is documented."""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from dependency_injector.providers import Object
from tests.servers.otlp import Collector

from bedplate.containers import ApplicationContainer
from bedplate.services.settings import SettingsService
from bedplate.services.settings.errors import SettingsError
from bedplate.services.telemetry import usage
from bedplate.services.telemetry.usage import KNOWN_BACKENDS, UsageReport

PAGE = Path(__file__).parents[3] / "docs/services/telemetry.md"
CHOOSING = [
    "auth",
    "cache",
    "chat",
    "database",
    "job_queue",
    "state",
    "storage",
    "store",
    "task",
    "telemetry",
    "tracing",
    "variable",
]


def _container(settings: SettingsService, **telemetry: Any) -> ApplicationContainer:
    values = SettingsService(
        profile="test", data_dir=settings.values.data_dir, telemetry={"log_level": "error", **telemetry}
    )
    return ApplicationContainer(settings=Object(values))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "SETTLED", 0.0)


async def test_nothing_is_sent_unless_somebody_asks(settings: SettingsService, otlp: Collector) -> None:
    """TEL-3."""
    container = _container(settings)
    async with container.running():
        await container.cache().set("key", 1)
    assert otlp.requests == []
    assert not (settings.values.data_dir / "usage-report").exists()


async def test_one_report_a_day_with_what_is_documented(settings: SettingsService, otlp: Collector) -> None:
    """TEL-3: every field, and no other; nothing that identifies anybody."""
    container = _container(settings, usage_endpoint=f"{otlp.url}/usage")
    for _ in range(2):  # a second start on the same day sends nothing
        async with container.running():
            user = await container.auth().create_superuser(f"somebody-{time.time_ns()}", "a good long password")
            for number in range(120):
                await container.cache().set(f"key {number}", "a-value-of-somebody")
            await otlp.until(lambda: otlp.requests)
    [request] = otlp.requests
    assert (request.method, request.path) == ("POST", "/usage")
    sent = json.loads(request.body)
    assert sent.keys() == set(UsageReport.__struct_fields__)
    assert sent["backends"]["cache"] == "memory"
    assert set(sent["backends"]) == set(sent["calls"])
    assert all(count == 0 or str(count).strip("0") == "1" for count in sent["calls"].values())
    for text in (str(user.id), "somebody", str(settings.values.data_dir), os.uname().nodename, "key 1"):
        assert not otlp.holds(text)

    section = PAGE.read_text().partition("## Usage analytics")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert documented == set(UsageReport.__struct_fields__)


async def test_the_next_goes_out_a_day_later(settings: SettingsService, otlp: Collector) -> None:
    mark = settings.values.data_dir / "usage-report"
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    os.utime(mark, (time.time() - 86_401,) * 2)
    container = _container(settings, usage_endpoint=f"{otlp.url}/usage")
    async with container.running("telemetry"):
        await otlp.until(lambda: otlp.requests)
    assert time.time() - mark.stat().st_mtime < 3_600


@pytest.mark.parametrize("trouble", ["down", "500", "hanging"])
async def test_a_receiver_in_trouble_harms_nobody(settings: SettingsService, otlp: Collector, trouble: str) -> None:
    endpoint = "http://127.0.0.1:9/usage" if trouble == "down" else f"{otlp.url}/usage"
    if trouble == "500":
        otlp.answer(500)
    elif trouble == "hanging":
        otlp.hang()
    container = _container(settings, usage_endpoint=endpoint)
    async with container.running("cache"):
        await container.cache().set("key", 1)
        if trouble != "down":
            await otlp.until(lambda: otlp.requests)
        assert (await container.telemetry().health()).reason is None


def test_a_backend_of_somebody_is_not_named(settings: SettingsService) -> None:
    values = SettingsService(
        profile="test",
        data_dir=settings.values.data_dir,
        cache={"backend": "of-a-company"},
        telemetry={"usage_endpoint": "https://usage.example/"},
    )
    report = ApplicationContainer(settings=Object(values)).telemetry().usage_report()
    assert report is not None
    assert report.backends["cache"] == "other"
    assert "of-a-company" not in str(msgspec.to_builtins(report))


def test_every_backend_of_bedplate_is_known() -> None:
    providers = ApplicationContainer()
    for name in CHOOSING:
        factory = getattr(providers, name).provides
        assert set(factory.backends) <= KNOWN_BACKENDS, name


def test_an_endpoint_that_is_no_url_is_refused(settings: SettingsService) -> None:
    with pytest.raises(SettingsError, match="usage_endpoint"):
        SettingsService(telemetry={"usage_endpoint": "usage.example"})
