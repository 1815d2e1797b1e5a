"""Runs over HTTP as vendors see them: the trace of the caller, and no secret (TRACE-3, TRACE-4, TRACE-5)."""

import html
import logging
import re
import sqlite3
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import orjson
import pytest
from tests.contract.tracing_vendors import VENDORS, spans_of, vendor_settings
from tests.integration.http.conftest import Upload
from tests.servers.otlp import Collector

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import COOKIE_NAME, User
from bedplate.wiring.testing.clients import PASSWORD, Clients
from bedplate.wiring.testing.flows import Flow
from bedplate.wiring.testing.llm import LocalLLM
from bedplate.wiring.testing.task.harness import until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
CANARY = "canary-Xq7secretvalue0123456789"


@pytest.fixture
async def keyed(clients: Clients, user: User) -> httpx.AsyncClient:
    """A client with an API key of the user."""
    return await clients.with_key(user.username)


@pytest.fixture
def container_settings(container_settings: dict[str, Any], otlp: Collector) -> dict[str, Any]:
    vendors = {"vendor_content": True, "vendor_environment": False, "vendor_interval": 0.01}
    return container_settings | {
        "tracing": vendors | vendor_settings(otlp.url),
        "task": {"poll_interval": 0.05, "progress_interval": 0.0, "retry_delay": 0.0},
    }


async def test_a_run_goes_on_with_the_trace_of_the_request(
    as_user: httpx.AsyncClient,
    keyed: httpx.AsyncClient,
    upload: Upload,
    container: ApplicationContainer,
    otlp: Collector,
    llm: LocalLLM,
) -> None:
    """TRACE-5: in by the header, out to the language model; only the collector is told of a parent it cannot see."""
    flow = await upload(as_user)
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "other=1"}
    answer = await keyed.post(f"/api/v1/run/{flow['id']}", json={"input_value": "Hello"}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert await container.tracing().flush()
    for vendor in VENDORS:
        spans = spans_of(otlp, vendor)
        root = spans[flow["name"]]
        assert {span.trace_id for span in spans.values()} == {TRACE}
        assert root.parent_id == (SPAN if vendor == "otlp" else "")
        assert root.span_id in {span.parent_id for span in spans.values()}
    asked = spans_of(otlp, "otlp")["Language Model"].attributes
    assert asked["gen_ai.response.finish_reasons"] == ["stop"]
    assert asked["gen_ai.response.model"] == asked["gen_ai.request.model"]
    roles = [(one["role"], one["parts"][0]["content"]) for one in orjson.loads(asked["gen_ai.input.messages"])]
    assert [role for role, _ in roles] == ["system", "user"]
    assert roles[-1] == ("user", "Hello")
    assert asked["llm.output_messages.0.message.content"] == "You said: Hello"
    assert llm.requests[-1].traceparent is not None
    assert llm.requests[-1].traceparent.split("-")[1] == TRACE


async def test_a_caller_that_is_bedplate_too_is_the_parent_everywhere(
    as_user: httpx.AsyncClient,
    keyed: httpx.AsyncClient,
    upload: Upload,
    container: ApplicationContainer,
    otlp: Collector,
) -> None:
    """TRACE-5: the last span of Bedplate upstream is known by its name in tracestate."""
    flow = await upload(as_user)
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "bedplate=00000000000000ff"}
    await keyed.post(f"/api/v1/run/{flow['id']}", json={"input_value": "Hello"}, headers=headers)
    assert await container.tracing().flush()
    parents = {vendor: spans_of(otlp, vendor)[flow["name"]].parent_id for vendor in VENDORS}
    assert parents.pop("otlp") == SPAN
    assert set(parents.values()) == {"00000000000000ff"}


async def test_a_header_that_is_not_valid_is_passed_over_and_told_once(
    as_user: httpx.AsyncClient,
    keyed: httpx.AsyncClient,
    upload: Upload,
    container: ApplicationContainer,
    otlp: Collector,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """TRACE-5: the run begins a trace of its own."""
    flow = await upload(as_user)
    for _ in range(3):
        headers = {"traceparent": "00-not-a-trace"}
        answer = await keyed.post(f"/api/v1/run/{flow['id']}", json={"input_value": "Hello"}, headers=headers)
        assert answer.status_code == 200
    assert await container.tracing().flush()
    root = spans_of(otlp, "otlp")[flow["name"]]
    assert root.parent_id == ""
    assert root.trace_id == uuid.UUID(root.attributes["bedplate.run.id"]).hex
    assert len([text for text in caplog.messages if "traceparent" in text]) == 1


async def test_a_task_goes_on_with_the_trace_that_submitted_it(
    as_user: httpx.AsyncClient,
    keyed: httpx.AsyncClient,
    upload: Upload,
    container: ApplicationContainer,
    otlp: Collector,
) -> None:
    """TRACE-5: through the row of the task, whichever process executes it, and later if it is put off."""
    flow = await upload(as_user)
    for delay in (None, 0.1):
        otlp.forget()
        body = {"flow_id": flow["id"], "input_value": "Hello"} | ({} if delay is None else {"delay": delay})
        headers = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
        answer = await as_user.post("/api/v1/tasks", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        task = answer.json()["id"]

        async def ended(task: str = task) -> bool:
            return bool((await as_user.get(f"/api/v1/tasks/{task}")).json()["finished_at"])

        await until(ended)
        assert await container.tracing().flush()
        root = spans_of(otlp, "otlp")[flow["name"]]
        assert (root.trace_id, root.parent_id) == (TRACE, SPAN)


async def test_a_planted_secret_reaches_no_vendor_log_metric_answer_page_or_row(
    as_user: httpx.AsyncClient,
    keyed: httpx.AsyncClient,
    client: httpx.AsyncClient,
    container: ApplicationContainer,
    llm: LocalLLM,
    otlp: Collector,
    clients: Clients,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """TRACE-4: in a variable, a field, a header, the contents of a file and a prompt; masked before any fan-out."""
    caplog.set_level(logging.DEBUG)  # what libraries say of statements, headers and addresses too
    variable = {"name": "OPENAI_API_KEY", "value": CANARY, "type": "Credential", "default_fields": []}
    assert (await as_user.post("/api/v1/variables/", json=variable)).status_code == 201
    file = {"file": ("notes.txt", f"the password is {CANARY}".encode())}
    path = (await as_user.post("/api/v2/files", files=file)).json()["path"]
    key = {"type": "str", "value": "OPENAI_API_KEY", "load_from_db": True, "_input_type": "SecretStrInput"}
    made = (
        Flow()
        .node("in", "ChatInput")
        .node("file", "File", path=[path])
        .node("llm", "LanguageModelComponent", provider="OpenAI", model_name="small-1", api_key=key)
        .node("out", "ChatOutput", sender="Machine", sender_name="AI")
        .edge("in", "message", "llm", "input_value")
        .edge("file", "message", "llm", "system_message")
        .edge("llm", "text_output", "out", "input_value")
    )
    answer = await as_user.post("/api/v1/flows/", json={"name": "leaky", "data": made.data})
    assert answer.status_code == 201, answer.text
    headers = {"X-Secret": CANARY, "traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": f"other={CANARY}"}
    llm.key = CANARY
    try:
        answer = await keyed.post(
            f"/api/v1/run/{answer.json()['id']}", json={"input_value": f"is it {CANARY}?"}, headers=headers
        )
    finally:
        llm.key = "local-llm-key-0123456789"
    assert await container.tracing().flush()
    assert llm.requests, answer.text
    assert llm.requests[-1].authorized
    assert CANARY in llm.requests[-1].said_by("system")
    assert CANARY in llm.requests[-1].said_by("user")

    for vendor in VENDORS:
        assert {"leaky"} <= spans_of(otlp, vendor).keys()
    assert not otlp.holds(CANARY)
    assert CANARY not in answer.text
    for page in ("/metrics", "/api/v1/monitor/traces", "/api/v1/monitor/builds", "/api/v1/monitor/transactions"):
        assert CANARY not in (await as_user.get(page)).text
    assert CANARY not in (await client.get("/metrics")).text
    traces = (await as_user.get("/api/v1/monitor/traces")).json()
    assert CANARY not in (await as_user.get(f"/api/v1/monitor/traces/{traces['items'][0]['id']}")).text
    pages = await _dashboard(clients)
    assert any("/spans/" in path for path in pages)
    assert {path.split("/")[2] for path in pages} >= {"runs", "jobs", "tasks", "chats", "storage", "audit", "services"}
    assert [path for path, text in pages.items() if CANARY in text] == []
    out, err = capfd.readouterr()
    assert CANARY not in out + err + caplog.text
    await container.database().stop()
    # The conversation is what its user wrote into it, for nobody but its user; nothing else has a copy.
    assert {
        name for name in _rows_with(tmp_path / "bedplate", CANARY) if not name.startswith("bedplate_message")
    } == set()


async def _dashboard(clients: Clients) -> dict[str, str]:
    """Every page that the dashboard leads to, by its address; but for the documentation, of which nothing is data."""
    await clients.user("operator", superuser=True)
    session = await clients.container.auth().open_cookie_session("operator", PASSWORD)
    client = await clients.anonymous()
    client.headers["Cookie"] = f"{COOKIE_NAME}={session.value.get_secret_value()}"
    seen: dict[str, str] = {}
    todo = ["/dashboard/"]
    while todo:
        path = todo.pop()
        if path in seen or not path.startswith("/dashboard/") or path.endswith("/docs"):
            continue
        answer = await client.get(path)
        assert answer.status_code == 200, path
        seen[path] = answer.text
        links = re.findall(r'<a [^>]*href="([^"#]+)', answer.text)
        todo += [urljoin(path, html.unescape(link)).partition("#")[0] for link in links]
    return seen


def _rows_with(folder: Path, text: str) -> set[str]:
    """The tables in which a text stands somewhere, of all databases in a folder."""
    found: set[str] = set()
    for path in folder.rglob("*.db"):
        with sqlite3.connect(path) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
                found |= {name for row in rows if text in str(row)}
    return found


class TestBesideTelemetry:
    @pytest.fixture
    def container_settings(
        self, container_settings: dict[str, Any], otlp: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> dict[str, Any]:
        """One collector, by the standard's variable, for the spans of requests and for those of runs; and Langfuse."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{otlp.url}/plain")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        every = vendor_settings(otlp.url)
        langfuse = {name: value for name, value in every.items() if name.startswith("langfuse")}
        return container_settings | {
            "tracing": {"vendor_interval": 0.01, **langfuse},
            "telemetry": {"backend": "otlp"},
        }

    async def test_a_run_hangs_under_the_span_of_its_request(
        self, as_user: httpx.AsyncClient, keyed: httpx.AsyncClient, upload: Upload, container: ApplicationContainer,
        otlp: Collector,
    ) -> None:  # fmt: skip
        """TRACE-5, TEL-2: one trace, from the caller through the server to the run, at who sees all of it."""
        flow = await upload(as_user)
        headers = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
        answer = await keyed.post(f"/api/v1/run/{flow['id']}", json={"input_value": "Hello"}, headers=headers)
        assert answer.status_code == 200
        assert await container.tracing().flush()
        root = spans_of(otlp, "otlp")[flow["name"]]
        await otlp.until(lambda: root.parent_id in {span.span_id for span in tuple(otlp.spans)})
        above = {span.span_id: span for span in tuple(otlp.spans) if span.trace_id == TRACE}
        chain = [root]
        while (parent := above.get(chain[-1].parent_id)) is not None:
            chain.append(parent)
        assert any(span.kind == "SERVER" for span in chain)
        assert chain[-1].parent_id == SPAN
        assert spans_of(otlp, "langfuse")[flow["name"]].parent_id == ""
        assert spans_of(otlp, "langfuse")[flow["name"]].trace_id == TRACE
