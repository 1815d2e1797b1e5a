"""TASK-3: what is wrong with a broker, named by setting and fix; what is sent to it, and what is not."""

import asyncio
import ssl
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from tests.servers.certificate import self_signed
from tests.servers.relay import Relay

from bedplate.services.database import DatabaseService
from bedplate.services.database.models import utc_now
from bedplate.services.errors import BedplateError, MissingExtraError
from bedplate.services.settings import SettingsService
from bedplate.services.task.backend import Due
from bedplate.services.task.celery import CeleryBackend
from bedplate.services.task.celery_app import level_of, make_app
from bedplate.services.task.celery_broker import (
    BrokerSettingError,
    BrokerUnavailableError,
    broker_address,
    consumed,
    queue_of,
    queues_of,
)
from bedplate.services.task.celery_outbox import Line, Outbox
from bedplate.services.task.factory import build_task
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.cli.app import run
from bedplate.wiring.testing.servers.postgres import free_port
from bedplate.wiring.testing.servers.valkey import PASSWORD, ValkeyServer
from bedplate.wiring.testing.task.harness import until

_SECRET = "a-wrong-password-that-nobody-may-see"


def _settings(url: str | None, **values: Any) -> SettingsService:
    task = {"backend": "celery", "broker_timeout": 1.0, **({"broker_url": url} if url else {}), **values}
    return SettingsService(profile="test", task=task)


def _due(name: str = "one", **values: Any) -> Due:
    return Due(**({"id": uuid.uuid4(), "name": name, "run_at": utc_now(), "priority": 0} | values))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            f"kafka://ada:{_SECRET}@host:9092",
            "begins with none of redis://, rediss://, amqp://, amqps://, unix://, but with kafka://",
        ),
        (f"sqs://ada:{_SECRET}@", "but with sqs://"),
        (_SECRET, "begins with none of redis://"),
        (f"redis://ada:{_SECRET}@host:x/0", "cannot be read"),
        (f"redis://:{_SECRET}@:6379/0", "names no host"),
        (f"redis://:{_SECRET}@host:6379/first", "not a number"),
        ("unix://", "names no socket"),
    ],
)
def test_a_url_that_names_no_broker_is_refused(
    url: str, said: str, telemetry: TelemetryService, database: DatabaseService
) -> None:
    """TASK-3: before anything is started, by setting and fix, without what may be a password."""
    with pytest.raises(BrokerSettingError) as caught:
        build_task(_settings(url), telemetry, database)
    text = str(caught.value)
    assert said in text
    assert "BEDPLATE_TASK__BROKER_URL" in text
    assert "Fix: write it as redis://user:password@host:6379/0 or amqp://" in text
    assert _SECRET not in text


def test_the_broker_is_that_of_redis_unless_it_has_a_url_of_its_own() -> None:
    with pytest.raises(BrokerSettingError, match="neither BEDPLATE_TASK__BROKER_URL nor BEDPLATE_REDIS__URL is set"):
        broker_address(_settings(None))
    both = SettingsService(profile="test", redis={"url": "redis://one"}, task={"broker_url": "amqp://two"})
    assert broker_address(both).masked == "amqp://two:5672"
    shared = broker_address(SettingsService(profile="test", redis={"url": f"rediss://ada:{_SECRET}@one/2"}))
    assert (shared.setting, shared.masked) == ("BEDPLATE_REDIS__URL", "rediss://one:6379/2")
    assert _SECRET not in repr(shared)


async def _refusal(url: str, kind: type[BedplateError], *texts: str) -> None:
    backend = CeleryBackend.from_settings(_settings(url))
    with pytest.raises(kind) as caught:
        await backend.start()
    await backend.stop()
    said = f"{caught.value} {caught.value!r}"
    for text in ("BEDPLATE_TASK__BROKER_URL", *texts):
        assert text in said
    assert _SECRET not in said
    assert PASSWORD not in said


async def test_wrong_password_wrong_host_and_missing_tls_are_named(valkey_url: str) -> None:
    """TASK-3: at the start, each by what is wrong."""
    await _refusal(valkey_url.replace(PASSWORD, _SECRET), BrokerSettingError, "refuses the user or the password")
    await _refusal(f"redis://:{_SECRET}@127.0.0.1:{free_port()}/0", BrokerUnavailableError, "does not answer")
    await _refusal(f"amqp://ada:{_SECRET}@127.0.0.1:{free_port()}//", BrokerUnavailableError, "does not answer")
    await _refusal(valkey_url.replace("redis:", "rediss:"), BedplateError, "rediss://127.0.0.1")


def test_certificates_are_checked() -> None:
    """TASK-3: left to itself, the library checks none."""
    for url, key in (("rediss://host", "ssl_cert_reqs"), ("amqps://host", "cert_reqs")):
        settings = _settings(url, broker_ca_file="/etc/own.pem")
        tls = make_app(settings.values.task, broker_address(settings)).conf.broker_use_ssl
        assert tls[key].name == "CERT_REQUIRED"
        assert "/etc/own.pem" in tls.values()


async def test_a_certificate_counts_once_its_authority_is_named(tmp_path: Path, valkey_url: str) -> None:
    """TASK-3: refused by name before."""
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with Relay(urlsplit(valkey_url).port or 0, context) as relay:
        url = f"rediss://:{PASSWORD}@127.0.0.1:{relay.port}/0"
        await _refusal(url, BrokerSettingError, "certificate of the broker is not trusted", "BROKER_CA_FILE")
        backend = CeleryBackend.from_settings(_settings(url, broker_ca_file=str(certificate)))
        await backend.start()
        backend.announce(_due())
        await backend.stop()
    assert _waiting(valkey_url) == {"bedplate": 1}


def test_missing_extra_is_named(
    telemetry: TelemetryService, database: DatabaseService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == "celery" or "task.celery" in one]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "celery", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'bedplate\[celery\]'"):
        build_task(_settings("redis://host"), telemetry, database)


def test_nothing_but_json_is_taken_and_nobody_commands_workers() -> None:
    """TASK-3: no pickle, no remote control."""
    settings = _settings("redis://host")
    conf = make_app(settings.values.task, broker_address(settings)).conf
    assert (conf.accept_content, conf.task_serializer, conf.event_serializer) == (["json"], "json", "json")
    assert conf.worker_enable_remote_control is False


def test_silent_connections_are_given_up_soon() -> None:
    """TASK-3: a broker that vanishes without a word must not cost a worker a minute."""
    settings = _settings("redis://host", broker_timeout=2.5)
    conf = make_app(settings.values.task, broker_address(settings)).conf
    assert conf.broker_transport_options["health_check_interval"] == 3


@pytest.mark.parametrize(("priority", "level"), [(-1_000_000, 0), (-5, 0), (-1, 4), (0, 5), (1, 6), (4, 9), (10**6, 9)])
def test_priorities_are_levels_of_the_broker(priority: int, level: int) -> None:
    """TASK-3: ten of them, those around 0 apart; Redis counts from the other end."""
    rabbit, valkey = (broker_address(_settings(url)) for url in ("amqp://host", "redis://host"))
    assert (level_of(priority, rabbit), level_of(priority, valkey)) == (level, 9 - level)


def _waiting(url: str) -> dict[str, int]:
    """How many messages wait, by queue."""
    prefix = b"bedplate:celery:"
    with redis.Redis.from_url(url) as client:
        keys = [key for key in client.keys(prefix + b"*") if client.type(key) == b"list"]
        return {key.removeprefix(prefix).partition(b"\x06")[0].decode(): client.llen(key) for key in keys}


async def test_tasks_are_led_to_queues_by_their_names(valkey_url: str) -> None:
    """TASK-3: by the first pattern that fits."""
    settings = _settings(valkey_url, broker_routes={"reports.*": "slow", "*.mail": "post"})
    values = settings.values.task
    assert queues_of(values) == ("bedplate", "slow", "post")
    assert queue_of(values, "reports.mail") == "slow"
    line = Line(values, broker_address(settings))
    for name in ("reports.build", "user.mail", "other", "other"):
        line.send(_due(name))
    assert _waiting(valkey_url) == {"slow": 1, "post": 1, "bedplate": 2}
    assert [line.depth(queue) for queue in ("slow", "bedplate", "nobody")] == [1, 2, 0]
    line.close()


def test_a_queue_that_nothing_is_led_to_is_refused() -> None:
    """TASK-3: a worker that waits for ever is a mistake."""
    routes = {"reports.*": "slow"}
    assert consumed(_settings("redis://host", broker_routes=routes).values.task) == ("bedplate", "slow")
    some = _settings("redis://host", broker_routes=routes, broker_consume=("slow",))
    assert consumed(some.values.task) == ("slow",)
    wrong = _settings("redis://host", broker_routes=routes, broker_consume=("slwo",))
    with pytest.raises(BrokerSettingError, match=r"'slwo'.*BROKER_CONSUME.*bedplate, slow"):
        consumed(wrong.values.task)


def test_doctor_says_that_the_broker_is_away_and_a_server_executes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """TASK-3: somebody has to run a worker."""
    monkeypatch.setenv("BEDPLATE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BEDPLATE_TASK__BACKEND", "celery")
    monkeypatch.setenv("BEDPLATE_TASK__BROKER_URL", f"redis://:{_SECRET}@127.0.0.1:{free_port()}")
    assert run(["doctor"]) == 1
    said = capsys.readouterr().out
    for text in ("task.executes-nothing", "bedplate worker", "task.broker", "does not answer", "TASK__BROKER_URL"):
        assert text in said
    assert _SECRET not in said


async def test_what_is_due_later_is_not_sent(valkey_url: str) -> None:
    """TASK-3: a message that a worker keeps for an hour would be handed out again and again."""
    backend = CeleryBackend.from_settings(_settings(valkey_url))
    await backend.start()
    backend.announce(_due(run_at=utc_now() + timedelta(hours=1)))
    backend.announce(_due())
    await backend.stop()  # it sends what waits
    assert _waiting(valkey_url) == {"bedplate": 1}


async def test_outbox_sends_again_until_the_broker_has_it(tmp_path: Path) -> None:
    """TASK-3: and says meanwhile that it does not answer."""
    with ValkeyServer(tmp_path) as server:
        backend = CeleryBackend.from_settings(_settings(server.url))
        await backend.start()
        assert await backend.check() is None
        server.stop()
        for _ in range(3):
            backend.announce(_due())
        assert "submitted tasks are kept" in str(await backend.check())
        assert _SECRET not in str(await backend.check())
        server.start()
        async with asyncio.timeout(30):
            await until(lambda: _waiting(server.url) == {"bedplate": 3})
        assert await backend.check() is None
        await backend.stop()


async def test_stop_does_not_wait_for_a_broker_that_is_away(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        backend = CeleryBackend.from_settings(_settings(server.url))
        await backend.start()
        server.stop()
        backend.announce(_due())
        async with asyncio.timeout(30):
            await backend.stop()
    await backend.stop()


async def test_outbox_that_is_closed_answers_nothing(valkey_url: str) -> None:
    settings = _settings(valkey_url)
    address = broker_address(settings)
    outbox = Outbox(Line(settings.values.task, address), address)
    outbox.open()
    await outbox.close(1.0)
    with pytest.raises(BrokerUnavailableError):
        await outbox.ask(Line.ping)


def test_a_worker_that_cannot_start_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """TASK-3: `bedplate worker` ends with 2 before it forks."""
    monkeypatch.setenv("BEDPLATE_TASK__BACKEND", "celery")
    monkeypatch.setenv("BEDPLATE_TASK__BROKER_URL", f"kafka://ada:{_SECRET}@host")
    assert run(["worker"]) == 2
    assert "BEDPLATE_TASK__BROKER_URL" in (said := capsys.readouterr().err)
    assert _SECRET not in said
    monkeypatch.setenv("BEDPLATE_TASK__BROKER_URL", f"redis://:{_SECRET}@127.0.0.1:{free_port()}")
    assert run(["worker"]) == 1
    assert _SECRET not in capsys.readouterr().err
