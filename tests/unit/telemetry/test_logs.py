"""Where log records go while the telemetry service runs, and how they look."""

import asyncio
import json
import logging
from typing import Any

import pytest
import structlog

from bedplate.services.engines.redactor import MASK, Redactor
from bedplate.services.health import HealthStatus
from bedplate.services.logs import get_logger
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

log = get_logger("bedplate.test")


def build(redactor: Redactor, **telemetry: Any) -> TelemetryService:
    values = {"log_handler": "own", "log_format": "json", **telemetry}
    return TelemetryService(SettingsService(telemetry=values), redactor)


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.fixture
async def telemetry(redactor: Redactor, capsys: pytest.CaptureFixture[str]) -> Any:
    service = build(redactor)
    await service.start()
    yield service
    await service.stop()


async def test_json_lines_with_trace_ids(telemetry: TelemetryService, capsys: pytest.CaptureFixture[str]) -> None:
    """TEL-1: structured logs as JSON, with the ids of trace and run."""
    with structlog.contextvars.bound_contextvars(trace_id="t1", run_id="r1"):
        log.info("run finished", ms=12, nested={"a": [1, None]})
    (line,) = written(capsys)
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "bedplate.test",
        "event": "run finished",
        "ms": 12,
        "nested": {"a": [1, None]},
        "trace_id": "t1",
        "run_id": "r1",
    }


async def test_an_event_cannot_forge_what_the_record_says(
    telemetry: TelemetryService, capsys: pytest.CaptureFixture[str]
) -> None:
    log.info("x", level="error", logger="root", timestamp="never")
    (line,) = written(capsys)
    assert (line["level"], line["logger"], line["level_"]) == ("info", "bedplate.test", "error")


async def test_secrets_are_masked_by_the_redactor(
    telemetry: TelemetryService, redactor: Redactor, capsys: pytest.CaptureFixture[str]
) -> None:
    """TEL-1: live secrets are masked in words, values, tracebacks and in the records of other libraries."""
    redactor.register("s3cr3t-value-of-a-variable")
    telemetry.route_server_logs()
    try:
        raise ValueError("refused: s3cr3t-value-of-a-variable")
    except ValueError:
        log.exception("call with s3cr3t-value-of-a-variable", sent={"body": "s3cr3t-value-of-a-variable"})
        logging.getLogger("uvicorn.error").exception("GET /?key=%s", "s3cr3t-value-of-a-variable")
    text = capsys.readouterr().err
    assert "s3cr3t" not in text
    assert text.count(MASK) >= 5
    assert "ValueError" in text


async def test_console_for_people(redactor: Redactor, capsys: pytest.CaptureFixture[str]) -> None:
    """TEL-1: the console form has columns, and never prints the local variables of a traceback."""
    service = build(redactor, log_format="console")
    await service.start()
    local = "a local variable"
    try:
        raise KeyError("lost")
    except KeyError:
        log.exception("went wrong", step=3)
    await service.stop()
    text = capsys.readouterr().err
    assert "went wrong" in text
    assert "step=3" in text
    assert "KeyError: 'lost'" in text
    assert local not in text


async def test_auto_is_json_where_there_is_no_terminal(redactor: Redactor, capsys: pytest.CaptureFixture[str]) -> None:
    service = build(redactor, log_format="auto")
    await service.start()
    log.info("hello")
    await service.stop()
    assert written(capsys)[0]["event"] == "hello"


async def test_the_level_is_a_setting(redactor: Redactor, capsys: pytest.CaptureFixture[str]) -> None:
    service = build(redactor, log_level="warning")
    await service.start()
    log.info("too quiet")
    log.warning("loud enough")
    await service.stop()
    assert [line["event"] for line in written(capsys)] == ["loud enough"]


async def test_server_logs_are_routed_the_same_way(
    telemetry: TelemetryService, capsys: pytest.CaptureFixture[str]
) -> None:
    """TEL-1: uvicorn, sqlalchemy and alembic write the same lines when Bedplate serves."""
    telemetry.route_server_logs()
    with structlog.contextvars.bound_contextvars(trace_id="t1"):
        logging.getLogger("uvicorn.access").info('%s - "%s" %d', "127.0.0.1", "GET /", 200)
    logging.getLogger("alembic.runtime.migration").info("Running upgrade")
    logging.getLogger("sqlalchemy.pool").warning("slow")
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    lines = written(capsys)
    assert [(line["logger"], line["event"]) for line in lines] == [
        ("uvicorn.access", '127.0.0.1 - "GET /" 200'),
        ("alembic.runtime.migration", "Running upgrade"),
        ("sqlalchemy.pool", "slow"),
    ]
    assert lines[0]["trace_id"] == "t1"


async def test_a_guest_leaves_other_loggers_alone(redactor: Redactor) -> None:
    """TEL-1: inside an application that logs by itself, Bedplate adds no handler anywhere."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    root, listener = logging.getLogger(), Listener()
    handlers = list(root.handlers)
    root.addHandler(listener)
    service = build(redactor, log_handler="auto")
    try:
        await service.start()
        assert logging.getLogger("bedplate").handlers == []
        assert logging.getLogger("uvicorn").handlers == []
        log.warning("as a guest", a=1)
        assert heard == ["as a guest a=1"]
    finally:
        await service.stop()
        root.removeHandler(listener)
    assert root.handlers == handlers


async def test_auto_writes_where_nobody_configured_logging(
    redactor: Redactor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    service = build(redactor, log_handler="auto")
    await service.start()
    log.info("alone")
    await service.stop()
    assert [line["event"] for line in written(capsys)] == ["alone"]


async def test_twenty_containers_leave_nothing_behind(redactor: Redactor, capsys: pytest.CaptureFixture[str]) -> None:
    """TEL-1: what start configures, stop restores, in whatever order containers come and go."""
    own = logging.getLogger("uvicorn")
    mine = logging.NullHandler()
    own.addHandler(mine)
    try:
        services = [build(redactor) for _ in range(20)]
        for service in services:
            await service.start()
            service.route_server_logs()
        log.info("once")
        assert len(written(capsys)) == 1
        for service in services[::2] + services[1::2]:
            assert own.handlers != [mine]
            await service.stop()
        assert own.handlers == [mine]
        assert own.propagate
        for _ in range(20):
            await services[0].start()
            await services[0].stop()
        assert own.handlers == [mine]
    finally:
        own.removeHandler(mine)


async def test_the_newest_container_holds_and_the_older_comes_back(
    redactor: Redactor, capsys: pytest.CaptureFixture[str]
) -> None:
    older, newer = build(redactor), build(redactor, log_level="error")
    await older.start()
    await newer.start()
    log.info("below the newer one's level")
    await newer.stop()
    log.info("the older one writes again")
    await older.stop()
    assert [line["event"] for line in written(capsys)] == ["the older one writes again"]


@pytest.mark.parametrize("look", ["json", "console"])
async def test_a_malformed_record_never_stops_the_log(
    redactor: Redactor, capsys: pytest.CaptureFixture[str], look: str
) -> None:
    """TEL-1: a malformed item is written as well as can be, and the next one is written as ever."""

    class Unprintable:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    service = build(redactor, log_format=look)
    await service.start()
    service.route_server_logs()
    logging.getLogger("uvicorn").info("%d items", "not a number")
    logging.getLogger("uvicorn").info(object())
    log.info("odd \ud800 text", value="\ud800", object=Unprintable(), big=2**100, key={1: {2: 3}})
    log.info("next")
    await service.stop()
    text = capsys.readouterr().err
    assert "not a number" in text
    assert "unprintable Unprintable" in text
    assert "next" in text
    assert "Logging error" not in text
    assert b"bedplate_telemetry_lost_log_records_total 0.0" in service.exposition()


async def test_a_record_that_cannot_be_written_is_counted(
    telemetry: TelemetryService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed pipe neither fails nor blocks the work that is being logged."""

    class Closed:
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Closed())
    log.info("into the void")
    monkeypatch.undo()
    assert b"bedplate_telemetry_lost_log_records_total 1.0" in telemetry.exposition()


async def test_start_and_stop_are_idempotent_and_stop_at_once(redactor: Redactor) -> None:
    """ALL-1: twice, and at once, is once; there is no queue that a stop could wait for."""
    service = build(redactor)
    await asyncio.gather(service.start(), service.start())
    assert (await service.health()).status is HealthStatus.UP
    await asyncio.gather(service.stop(), service.stop())
    assert (await service.health()).status is HealthStatus.DOWN


async def test_structlog_of_the_application_is_left_alone(redactor: Redactor) -> None:
    """TEL-1: the application's own structlog configuration is neither read nor changed."""
    assert not structlog.is_configured()
    service = build(redactor)
    await service.start()
    assert not structlog.is_configured()
    await service.stop()
