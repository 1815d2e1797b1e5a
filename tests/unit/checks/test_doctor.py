"""How checks are run: at start and by the doctor, none able to stop anything (SET-8)."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bedplate.containers import ApplicationContainer, ServiceContainer, Singleton
from bedplate.containers import lifecycle as lifecycle_module
from bedplate.services.base import Service
from bedplate.services.checks import Check, Finding, Severity, Surroundings, Trouble, check
from bedplate.services.errors import MissingExtraError
from bedplate.services.settings import SettingsService
from bedplate.wiring.cli.app import run

Examine = Callable[..., Awaitable[list[Finding]]]


@check("mine.note", Severity.NOTE, "Nothing is noted")
def _note(service: Any, around: Surroundings) -> Iterator[Trouble]:
    service.threads.add(threading.current_thread())
    yield Trouble(f"started: {around.started}", "leave it")


@check("mine.error", Severity.ERROR, "All is well")
async def _error(service: Any, around: Surroundings) -> Iterable[Trouble]:
    service.threads.add(threading.current_thread())
    return [Trouble("all is not well", "make it well")]


@check("mine.broken", Severity.NOTE, "The check works")
def _broken(service: Any, around: Surroundings) -> Iterator[Trouble]:
    yield Trouble("before it breaks", "nothing")
    raise ValueError("hunter2")


class Mine(Service):
    checks = (_note, _broken, _error)

    def __init__(self) -> None:
        self.threads: set[threading.Thread] = set()


def container_of(*checks: Check, base: type[Service] = Mine) -> Any:
    service = type("Mine", (base,), {"checks": checks} if checks else {})

    class Container(ServiceContainer):
        settings = Singleton(SettingsService, profile="test")
        mine = Singleton(service)

    return Container()


async def test_an_apps_own_service_contributes_its_checks() -> None:
    """SET-8: at start and by hand; the worst first; plain functions run in a thread, one that fails harms no other."""
    container = container_of()
    before = await container.examine()
    await container.init_resources()
    started = container.report.findings
    await container.shutdown_resources()
    assert [one.check for one in before] == ["mine.error", "mine.broken", "mine.broken", "mine.note"]
    assert [one.check for one in started] == [one.check for one in before]
    assert (before[-1].what, started[-1].what) == ("started: False", "started: True")
    assert "hunter2" not in str(before)
    assert "could not be checked: ValueError" in {one.what for one in before}
    assert threading.main_thread() in container.mine().threads
    assert len(container.mine().threads) == 3


async def test_a_check_that_hangs_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-8: neither in a thread nor on the event loop; the report says so."""
    monkeypatch.setattr(lifecycle_module, "_PATIENCE", 0.5)
    released = threading.Event()

    @check("mine.hangs", Severity.NOTE, "It answers")
    def in_thread(service: Any, around: Surroundings) -> Iterator[Trouble]:
        released.wait()
        yield Trouble("late", "none")

    @check("mine.waits", Severity.NOTE, "It answers")
    async def on_the_loop(service: Any, around: Surroundings) -> Iterable[Trouble]:
        await asyncio.Event().wait()
        return ()

    for hanging in (in_thread, on_the_loop):
        container = container_of(hanging)
        async with container.running():
            (found,) = container.report.findings
            assert (found.check, found.severity) == (hanging.id, Severity.WARNING)
            assert "no answer" in found.what
    released.set()


async def test_a_start_that_is_cancelled_during_the_checks_is_undone() -> None:
    """SET-8: nothing is left running."""
    reached = asyncio.Event()

    @check("mine.waits", Severity.NOTE, "It answers")
    async def waits(service: Any, around: Surroundings) -> Iterable[Trouble]:
        reached.set()
        await asyncio.Event().wait()
        return ()

    container = container_of(waits)
    start = asyncio.create_task(container.init_resources())
    await reached.wait()
    assert container.mine().started
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not container.mine().started
    assert not container.started


async def test_a_start_of_a_part_checks_nothing() -> None:
    """SET-8: a command that boots two services is not the place to complain about the others."""
    container = container_of()
    async with container.running("mine"):
        assert container.report.findings == []


async def test_a_service_that_cannot_be_built_is_a_finding() -> None:
    """SET-8: a missing extra with its install command; what needs it does not repeat it."""

    def missing(*_: object) -> Service:
        raise MissingExtraError("redis", module="redis", service="cache")

    container = ApplicationContainer(settings=Singleton(SettingsService))
    with container.cache.override(Singleton(missing)):
        (found,) = [one for one in await container.examine() if one.severity is Severity.ERROR]
    assert (found.check, found.fix) == ("cache.missing-extra", "pip install 'bedplate[redis]'")


async def test_what_the_start_found_is_in_its_report_and_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, folder: Path
) -> None:
    """SET-7, SET-8"""
    monkeypatch.setenv("LANGFLOW_CACHE_EXPIRE", "60")
    settings = {"telemetry": {"scrape_token": "short"}, "data_dir": folder / "data"}
    container = ApplicationContainer(settings=Singleton(SettingsService, **settings))
    async with container.running():
        report = container.report
    assert report.aliases == {"LANGFLOW_CACHE_EXPIRE": "cache.ttl"}
    assert [one.check for one in report.findings] == ["telemetry.short-token"]
    table = report.table()
    assert "LANGFLOW_CACHE_EXPIRE as cache.ttl" in table
    assert "[telemetry.short-token]" in table
    assert json.loads(report.json())["findings"][0]["check"] == "telemetry.short-token"
    assert "telemetry.short-token" in caplog.text


def doctor(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    code = run(("doctor", *args))
    return code, capsys.readouterr().out


def test_command_is_content_and_leaves_no_trace(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """SET-8"""
    assert doctor(capsys) == (0, "nothing to say: every check is content\n")
    assert doctor(capsys, "--json") == (0, "[]\n")
    assert list(folder.iterdir()) == []


def test_command_fails_on_errors_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """SET-8: as text and as JSON, each with id, severity, finding and fix."""
    monkeypatch.setenv("BEDPLATE_VARIABLE__OPERATOR_VARIABLES", "NOWHERE_SET")
    code, out = doctor(capsys)
    assert code == 0
    assert out.endswith("1 warning\n")
    monkeypatch.setenv("BEDPLATE_TELEMETRY__SCRAPE_TOKEN", "short")
    code, out = doctor(capsys, "--json")
    assert code == 1
    assert [set(one) for one in json.loads(out)] == [{"check", "severity", "what", "fix"}] * 2
    code, out = doctor(capsys)
    assert code == 1
    assert "telemetry.short-token" in out
    assert "fix: make one with" in out
    assert out.endswith("1 error, 1 warning\n")


def test_command_reports_settings_that_are_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SET-8: a wildcard origin with credentials among them."""
    monkeypatch.setenv("BEDPLATE_SERVER__CORS_ORIGINS", "*")
    monkeypatch.setenv("BEDPLATE_SERVER__CORS_ALLOW_CREDENTIALS", "true")
    monkeypatch.setenv("BEDPLATE_SERVER__PROT", "1")
    code, out = doctor(capsys, "--json")
    assert code == 1
    assert [one["check"] for one in json.loads(out)] == ["settings.invalid"] * 2
    monkeypatch.delenv("BEDPLATE_SERVER__PROT")
    monkeypatch.delenv("BEDPLATE_SERVER__CORS_ORIGINS")
    monkeypatch.setenv("BEDPLATE_CACHE__BACKEND", "cloud")
    code, out = doctor(capsys, "--json")
    assert code == 1
    (found,) = json.loads(out)
    assert "BEDPLATE_CACHE__BACKEND" in found["fix"]
