"""What a collector gets of an application that serves requests."""

import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import opentelemetry._logs
import opentelemetry.metrics
import opentelemetry.trace
import pytest
from dependency_injector.providers import Object, Singleton
from fastapi import FastAPI
from opentelemetry.trace import get_current_span
from tests.servers.otlp import Collector, Point, Span

from bedplate.containers import ApplicationContainer
from bedplate.services.base import Service
from bedplate.services.logs import get_logger
from bedplate.services.settings import SettingsService
from bedplate.wiring.http.telemetry import TelemetryMiddleware
from bedplate.wiring.testing.clients import Clients

Stop = Callable[[], Awaitable[object]]

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


def named(otlp: Collector, name: str) -> Span:
    return next(one for one in otlp.spans if one.name == name)


def points(otlp: Collector, name: str, **attributes: str) -> list[Point]:
    return [one for one in otlp.points if one.name == name and attributes.items() <= one.attributes.items()]


async def test_a_request_is_one_trace_down_to_its_queries(clients: Clients, otlp: Collector, stop: Stop) -> None:
    """TEL-2, ALL-7: HTTP, services and SQL, under the trace that the client began."""
    client = await clients.logged_in("alice")
    answer = await client.get("/api/v1/users/whoami?token=in-the-query", headers={"traceparent": TRACEPARENT})
    assert answer.status_code == 200
    await stop()

    request = named(otlp, "GET /api/v1/users/whoami")
    assert (request.kind, request.trace_id, request.parent_id) == ("SERVER", TRACE, PARENT)
    assert request.attributes["http.request.method"] == "GET"
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["http.route"] == "/api/v1/users/whoami"
    assert request.attributes["url.query"] == "REDACTED"
    ours = {one.span_id: one for one in otlp.spans if one.trace_id == TRACE}
    operation = next(one for one in ours.values() if one.name == "auth.verify")
    assert operation.parent_id == request.span_id
    assert operation.attributes == {"bedplate.service": "auth", "bedplate.operation": "verify"}
    query = next(one for one in ours.values() if one.kind == "CLIENT")
    assert query.attributes["db.system.name"] == "sqlite"
    assert query.attributes["db.query.text"].startswith("SELECT")
    assert ours[query.parent_id].name == "database.session"
    assert not otlp.holds("in-the-query")
    assert request.resource["service.name"] == "shop"
    assert request.resource["service.version"] == "7"
    assert request.resource["deployment.environment.name"] == "tests"
    assert request.resource["service.instance.id"]
    assert {one.headers["x-collector-key"] for one in otlp.requests} == {"a-key-of-the-collector"}


async def test_requests_are_named_by_their_routes(clients: Clients, otlp: Collector, stop: Stop) -> None:
    """TEL-2: paths, which may be any number, are in no name and in no metric."""
    client = await clients.logged_in("alice")
    ids = [f"0190a0a0-0000-7000-8000-{number:012x}" for number in range(20)]
    for each in ids:
        assert (await client.get(f"/api/v1/flows/{each}")).status_code == 404
        assert (await client.get(f"/nothing/{each}")).status_code == 404
    await stop()

    assert {one.name for one in otlp.spans if one.kind == "SERVER"} == {"GET /api/v1/flows/{flow_id}", "GET"}
    failed = next(one for one in otlp.spans if one.name == "session.flows.get")
    assert (failed.status, failed.attributes["error.type"]) == ("ERROR", "flow_not_found")
    assert failed.status_message == ""
    last = {tuple(sorted(one.attributes.items())): one for one in points(otlp, "http.server.request.duration")}
    assert sorted(one.count for one in last.values()) == [20, 20]
    routes = {one.attributes.get("http.route") for one in last.values()}
    assert routes == {"/api/v1/flows/{flow_id}", None}
    for one in otlp.points:
        assert not any(each in str(one.attributes) for each in ids)


async def test_metrics_are_those_of_prometheus(clients: Clients, otlp: Collector, stop: Stop) -> None:
    """TEL-2: one set of instruments, to be had in both ways; with exemplars, units and the standard names."""
    client = await clients.superuser()
    route = "/api/v1/users/whoami"
    operation = {"service": "auth", "operation": "verify"}

    def traced(name: str, **attributes: str) -> bool:
        return any(trace == TRACE for one in points(otlp, name, **attributes) for trace, _ in one.exemplars)

    assert (await client.get(route, headers={"traceparent": TRACEPARENT})).status_code == 200
    # Each bucket has one exemplar, the latest: before others come by.
    await otlp.until(lambda: traced("bedplate_service_operation_duration_seconds", **operation))
    await otlp.until(lambda: traced("http.server.request.duration", **{"http.route": route}))
    shown = (await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})).text
    text = (await client.get("/metrics")).text
    await stop()

    assert shown.endswith("# EOF\n")
    assert any(f'http_route="{route}"' in line and f'trace_id="{TRACE}"' in line for line in shown.splitlines())
    series = next(line for line in text.splitlines() if "request_duration_seconds_count" in line and route in line)
    assert series.endswith(" 1.0")
    assert "process_memory_usage_bytes " in text
    assert "bedplate_auth_logins_total" in text
    names = {one.name for one in otlp.points}
    assert {"process.memory.usage", "cpython.gc.collections", "db.client.connection.count"} <= names
    assert {"http.server.active_requests", "bedplate_auth_logins", "bedplate_database_bytes"} <= names
    verify = points(otlp, "bedplate_service_operation_duration_seconds", **operation)[-1]
    assert (verify.kind, verify.unit) == ("histogram", "s")
    assert verify.count == sum(verify.buckets) >= 1


async def test_logs_carry_the_ids_of_their_span(
    container: ApplicationContainer, clients: Clients, otlp: Collector, stop: Stop
) -> None:
    """TEL-2: what is logged inside a request is found by its trace, at the collector and in the lines."""
    await clients.user("alice")
    client = await clients.anonymous()
    form = {"username": "alice", "password": "wrong password"}
    await client.post("/api/v1/login", data=form, headers={"traceparent": TRACEPARENT})
    get_logger("bedplate.shop").error("an order failed", number=7, api_key="sk-a-secret-of-the-log")
    await stop()

    inside = [one for one in otlp.logs if one.trace_id == TRACE]
    assert inside
    assert {one.span_id for one in inside} <= {one.span_id for one in otlp.spans if one.trace_id == TRACE}
    order = next(one for one in otlp.logs if one.body == "an order failed")
    assert (order.severity, order.scope, order.attributes["number"]) == ("ERROR", "bedplate.shop", 7)
    assert order.trace_id in ("", "0" * 32)
    assert not otlp.holds("sk-a-secret-of-the-log")


async def test_calls_to_others_carry_the_context(container: ApplicationContainer, otlp: Collector, stop: Stop) -> None:
    """TEL-2: W3C trace context goes out with httpx; addresses lose their query and their password."""
    client = container.http().client
    assert (await client.post(f"{otlp.url}/of/others?key=in-the-query", content=b"x")).status_code == 200
    await stop()

    [received] = [one for one in otlp.requests if one.path.startswith("/of/others")]
    call = next(one for one in otlp.spans if one.kind == "CLIENT" and "url.full" in one.attributes)
    assert received.headers["traceparent"].startswith(f"00-{call.trace_id}-{call.span_id}-0")
    assert call.attributes["url.full"].endswith("/of/others?REDACTED")
    assert points(otlp, "http.client.request.duration")
    # Deliveries themselves are traced by nobody.
    assert not [one for one in otlp.requests if "/v1/" in one.path and "traceparent" in one.headers]


async def test_nothing_is_global(container: ApplicationContainer, variables: dict[str, str], stop: Stop) -> None:
    """TEL-2: no provider is set for the process, and its environment is as it was."""
    before = dict(os.environ)
    await container.cache().set("key", 1)
    kinds = {
        type(opentelemetry.trace.get_tracer_provider()).__name__,
        type(opentelemetry.metrics.get_meter_provider()).__name__,
        type(opentelemetry._logs.get_logger_provider()).__name__,
    }
    assert kinds == {"ProxyTracerProvider", "_ProxyMeterProvider", "ProxyLoggerProvider"}
    await stop()
    assert dict(os.environ) == before


async def test_it_starts_again_after_a_stop(container: ApplicationContainer, otlp: Collector, stop: Stop) -> None:
    instances = set()
    for number in range(2):
        await container.init_resources()
        await container.cache().set("key", number)
        await stop()
        instances |= {one.resource["service.instance.id"] for one in otlp.spans if one.name == "cache.set"}
        assert len([one for one in otlp.spans if one.name == "cache.set"]) >= number + 1
    assert len(instances) == 2


async def test_logs_of_the_server_go_there_too(
    container: ApplicationContainer, otlp: Collector, stop: Stop, capsys: pytest.CaptureFixture[str]
) -> None:
    """TEL-2: what ``bedplate serve`` writes of its server is delivered as well, and still written."""
    container.telemetry().route_server_logs()
    logging.getLogger("uvicorn.access").info('%s - "%s %s"', "127.0.0.1", "GET", "/setup?token=canary-of-a-link")
    await stop()
    logging.getLogger("uvicorn.access").info("after the stop")
    [access] = [one for one in otlp.logs if one.scope == "uvicorn.access"]
    assert access.body.startswith('127.0.0.1 - "GET /setup')
    assert "127.0.0.1" in capsys.readouterr().err
    assert not otlp.holds("canary-of-a-link")


async def test_a_guest_delivers_its_own_logs_and_leaves_the_writing_to_the_application(
    container_settings: dict[str, Any], otlp: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    """TEL-2: where the application has configured logging, its handlers get what they did before."""
    caplog.set_level(logging.INFO)
    before = list(logging.getLogger("bedplate").handlers)
    settings = container_settings | {"telemetry": {"backend": "otlp", "log_handler": "app"}}
    container = ApplicationContainer(settings=Object(SettingsService(**settings)))
    async with container.running("cache"):
        get_logger("bedplate.shop").info("an order", number=7)
        logging.getLogger("host").info("of the application")
    assert [one.body for one in otlp.logs if one.scope in ("bedplate.shop", "host")] == ["an order"]
    assert "an order number=7" in caplog.text
    assert "of the application" in caplog.text
    assert logging.getLogger("bedplate").handlers == before


async def test_a_guest_has_its_requests_and_services_traced(
    container_settings: dict[str, Any], otlp: Collector
) -> None:
    """TEL-2, ALL-7: an application of somebody's, with a service of its own; texts are cut, whatever their length."""

    class Orders(Service):
        async def take(self, number: int) -> int:
            get_current_span().set_attribute("order.note", "n" * 1_000_000)
            return number

    class Shop(ApplicationContainer):
        orders = Singleton(Orders)

    container = Shop(settings=Object(SettingsService(**container_settings)))
    app = FastAPI()
    app.add_middleware(TelemetryMiddleware, telemetry=container.telemetry)

    @app.get("/orders/{number}")
    async def read(number: int) -> int:
        return await container.orders().take(number)

    async with container.running("orders", "telemetry"):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.example") as client:
            assert (await client.get("/orders/7")).json() == 7
        assert [one.calls for one in container.telemetry().operations("orders")] == [1]
    request, order = named(otlp, "GET /orders/{number}"), named(otlp, "orders.take")
    assert order.parent_id == request.span_id
    assert len(order.attributes["order.note"]) <= 16_384 + 64
