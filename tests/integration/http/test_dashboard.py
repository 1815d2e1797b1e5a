"""The dashboard without a browser: who is let in, what is asked of it, what it never shows."""

import asyncio
import inspect
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.http.conftest import Upload
from tests.servers.replicas import Replica

from bedplate.services.auth import COOKIE_NAME
from bedplate.services.schema import ServiceType
from bedplate.services.task import TaskStatus
from bedplate.wiring.http.dashboard import live as dashboard_live
from bedplate.wiring.http.dashboard import visit as dashboard_visit
from bedplate.wiring.http.dashboard.site import VIEWS
from bedplate.wiring.testing.clients import PASSWORD, Clients
from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.serving import serving
from bedplate.wiring.testing.signals import Gate

ORIGIN = {"Origin": "http://localhost"}
SUPERUSER = "superuser"
OPEN = {"GET /sign-in": 200, "POST /sign-in": 403, "POST /sign-out": 403, "GET /static/{name}": 404}
"""What is open to anyone, and what it answers to a caller without anything."""

Stream = Callable[..., AsyncIterator[str]]

IDS = {"owner", "run", "span", "job", "task"}


def _address(operation: str, /, **values: str) -> str:
    path = operation.partition(" ")[2].replace("{session:path}", "{session}")
    known = dict.fromkeys(IDS, str(uuid.UUID(int=0))) | {"session": "a-session", "name": "cache"} | values
    return f"/dashboard{path.format(**known)}"


async def cookie_of(clients: Clients, username: str, *, superuser: bool = False) -> str:
    await clients.user(username, superuser=superuser)
    session = await clients.container.auth().open_cookie_session(username, PASSWORD)
    return f"{COOKIE_NAME}={session.value.get_secret_value()}"


@pytest.fixture
async def visitor(clients: Clients) -> httpx.AsyncClient:
    """A client with the session cookie of a superuser."""
    client = await clients.anonymous()
    client.headers["Cookie"] = await cookie_of(clients, SUPERUSER, superuser=True)
    return client


async def test_every_view_sends_those_who_are_not_signed_in_to_the_sign_in_page(clients: Clients) -> None:
    """AUTH-7: the cookie alone is looked at, whose it is and where a request comes from."""
    anonymous, bearer = await clients.anonymous(), await clients.superuser()
    by_key = await clients.with_key(SUPERUSER)
    for name in VIEWS:
        method = name.partition(" ")[0]
        for client in (anonymous, bearer, by_key):
            answer = await client.request(method, _address(name))
            if name == "GET /live":
                assert answer.status_code == 401
                continue
            assert answer.status_code == 303, name
            assert answer.headers["location"].startswith("/dashboard/sign-in"), name
    fragment = await anonymous.get("/dashboard/runs", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment.headers["hx-refresh"]) == (401, "true")
    assert (await anonymous.get("/")).headers["location"] == "/dashboard/sign-in"


async def test_ordinary_users_are_refused_everywhere(clients: Clients) -> None:
    client = await clients.anonymous()
    client.headers["Cookie"] = await cookie_of(clients, "ordinary")
    for name in VIEWS:
        answer = await client.request(name.partition(" ")[0], _address(name), headers=ORIGIN)
        assert answer.status_code == 403, name
        assert "for superusers" in answer.text


async def test_what_is_open_tells_nothing(clients: Clients) -> None:
    client = await clients.anonymous()
    for name, status in OPEN.items():
        assert (await client.request(name.partition(" ")[0], _address(name, name="nothing.js"))).status_code == status


async def test_nothing_is_changed_by_a_page_of_another_origin(clients: Clients, visitor: httpx.AsyncClient) -> None:
    changing = [name for name in VIEWS if not name.startswith("GET")]
    assert len(changing) == 3
    for name in [*changing, "POST /sign-in", "POST /sign-out"]:
        for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            answer = await visitor.post(_address(name), headers=origin)
            assert answer.status_code == 403, (name, origin)
            assert "bedplate_session" not in answer.headers.get("set-cookie", "")
    assert (await visitor.get("/")).status_code == 200  # still signed in


async def test_every_view_answers_and_lets_nothing_in_from_elsewhere(visitor: httpx.AsyncClient) -> None:
    for name in ("/", "/dashboard/", *(f"/dashboard/{page}" for page in _lists()), "/dashboard/services/cache"):
        answer = await visitor.get(name)
        assert answer.status_code == 200, name
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert " style=" not in answer.text, name
        assert "<style" not in answer.text, name
        assert " on" not in "".join(part.partition(">")[0] for part in answer.text.split("<button")[1:]), name
        assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", ""), name


def _lists() -> list[str]:
    return [name.removeprefix("GET /") for name in VIEWS if name.startswith("GET /") and name.count("/") == 1 and
            name not in ("GET /", "GET /live")]  # fmt: skip


async def test_each_service_has_its_page_and_its_documentation(clients: Clients, visitor: httpx.AsyncClient) -> None:
    for name in (*ServiceType, "redactor", "workers"):
        page = await visitor.get(f"/dashboard/services/{name}")
        docs = await visitor.get(f"/dashboard/services/{name}/docs")
        assert page.status_code == docs.status_code == 200, name
        told = set(re.findall(r'<section class="card prose" id="([^"]+)"', docs.text))
        assert {one.operation for one in clients.container.telemetry().operations(name)} <= told, name
        assert not {"start", "stop", "health"} & told, name
    auth = (await visitor.get("/dashboard/services/auth")).text
    lengths = re.findall(r"auth.password_m\w+_\w+</code></th><td[^>]*><code>([^<]*)<", auth)
    assert lengths, "how long a password is is none"
    assert all(one.isdigit() for one in lengths)
    assert "BEDPLATE" not in (await visitor.get("/dashboard/services/nothing")).text
    assert (await visitor.get("/dashboard/services/nothing")).status_code == 404


async def test_what_is_not_there_and_what_is_anothers_is_not_found(
    clients: Clients, visitor: httpx.AsyncClient, upload: Upload
) -> None:
    """ALL-4: an id is only good with that of its owner."""
    owner = await clients.logged_in("owner")
    flow = await upload(owner)
    job = (await owner.post(f"/api/v1/build/{flow['id']}/flow", json={})).json()["job_id"]
    await owner.get(f"/api/v1/build/{job}/events")
    run = (await owner.get("/api/v1/monitor/traces")).json()["items"][0]["id"]
    task = (await owner.post("/api/v1/tasks", json={"flow_id": flow["id"], "delay": 3600})).json()["id"]
    whose, other = (await clients.user("owner")).id, (await clients.user(SUPERUSER)).id
    for kind, id_ in (("jobs", job), ("runs", run), ("tasks", task)):
        assert (await visitor.get(f"/dashboard/{kind}/{whose}/{id_}")).status_code == 200, kind
        for wrong in (f"{other}/{id_}", f"{whose}/{uuid.uuid4()}", f"{whose}/nothing", f"nothing/{id_}"):
            answer = await visitor.get(f"/dashboard/{kind}/{wrong}")
            assert answer.status_code == 404, wrong
            assert answer.headers["content-type"].startswith("text/html")
    assert "No messages." in (await visitor.get(f"/dashboard/chats/{whose}/nothing-said-yet")).text
    for what in (f"jobs/{other}/{job}/cancel", f"tasks/{other}/{task}/cancel", f"tasks/{other}/{task}/requeue"):
        assert (await visitor.post(f"/dashboard/{what}", headers=ORIGIN)).status_code == 404, what


TEXTS = (
    "",
    " ",
    "a\0b",
    "x" * 5_000,
    "-1",
    "9" * 40,
    "1e9",
    "<script>alert(1)</script>",
    "'; DROP TABLE x; --",
    "{{7*7}}",
)


def _parameters(view: object) -> set[str]:
    """What the module of a view asks a query for, and something that nobody asks for."""
    source = inspect.getsource(sys.modules[view.__module__])
    return {"unknown", *re.findall(r'visit\.(?:asked|number|choice)\("(\w+)"', source)}


async def test_no_parameter_breaks_it_and_none_is_shown_as_markup(clients: Clients, visitor: httpx.AsyncClient) -> None:
    asked: set[str] = set()
    for operation, view in VIEWS.items():
        if not operation.startswith("GET ") or operation.endswith(("/live", "/events")):
            continue
        for name in _parameters(view):
            asked.add(name)
            for text in TEXTS:
                answer = await visitor.get(_address(operation), params={name: text})
                assert answer.status_code < 500, (operation, name, text)
                assert "<script>alert" not in answer.text, (operation, name)
    assert asked >= {"user", "status", "cursor", "failed", "name", "kind", "offset", "before", "page", "q", "seen"}


async def test_signing_in_leads_to_the_page_that_was_asked_for_and_never_elsewhere(clients: Clients) -> None:
    await clients.user(SUPERUSER, superuser=True)
    client = await clients.anonymous()
    sent_away = await client.get("/dashboard/jobs?user=a%26b&status=failed")
    asked = "/dashboard/jobs?user=a%26b&status=failed"
    assert httpx.URL(sent_away.headers["location"]).params["next"] == asked
    for wanted, got in (
        (asked, asked),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/dashboard/\\evil.example", "/"),
        ("/dashboard/\r\nSet-Cookie: a=b", "/"),
        ("/api/v1/login", "/"),
        ("", "/"),
    ):
        fields = {"username": SUPERUSER, "password": PASSWORD, "next": wanted}
        answer = await client.post("/dashboard/sign-in", data=fields, headers=ORIGIN)
        assert (answer.status_code, answer.headers["location"]) == (303, got)
        cookie = answer.headers["set-cookie"].lower()
        assert all(part in cookie for part in ("httponly", "samesite=lax"))


async def test_below_another_path_signing_in_leads_back_there(clients: Clients) -> None:
    await clients.user(SUPERUSER, superuser=True)
    transport = httpx.ASGITransport(clients.app, root_path="/bedplate")
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        sent_away = await client.get("/bedplate/dashboard/jobs")
        assert sent_away.headers["location"] == "/bedplate/dashboard/sign-in?next=/dashboard/jobs"
        fields = {"username": SUPERUSER, "password": PASSWORD, "next": "/dashboard/jobs"}
        answer = await client.post("/bedplate/dashboard/sign-in", data=fields, headers=ORIGIN)
        assert answer.headers["location"] == "/bedplate/dashboard/jobs"


async def test_a_failed_sign_in_shows_the_form_again_without_the_password(clients: Clients) -> None:
    await clients.user(SUPERUSER, superuser=True)
    client = await clients.anonymous()
    fields = {"username": '"><script>', "password": "a wrong password"}
    answer = await client.post("/dashboard/sign-in", data=fields, headers=ORIGIN)
    assert answer.status_code == 401
    assert "a wrong password" not in answer.text
    assert "<script>" not in answer.text.replace('<script src="', "")
    many = await client.post("/dashboard/sign-in", content="&".join(["a=b"] * 5_000), headers=ORIGIN)
    assert many.status_code in (400, 401)


async def test_signing_out_ends_the_session(clients: Clients, visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/dashboard/sign-out", headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/sign-in")
    assert (await visitor.get("/")).status_code == 303


async def test_no_page_shows_a_secret(
    clients: Clients, visitor: httpx.AsyncClient, upload: Upload, llm: LocalLLM
) -> None:
    """The secret key of the settings, a credential of a user, and one that stands in what a user typed."""
    owner = await clients.logged_in("owner")
    flow = await upload(owner)
    canary = "canary-0123456789-abcdefghij"
    body = {"name": "CANARY", "value": canary, "type": "Credential", "default_fields": []}
    await owner.post("/api/v1/variables/", json=body)
    asked = {"inputs": {"input_value": f"My key is {canary}", "session": "with-a-secret"}}
    job = (await owner.post(f"/api/v1/build/{flow['id']}/flow", json=asked)).json()["job_id"]
    await owner.get(f"/api/v1/build/{job}/events")
    whose = (await clients.user("owner")).id
    tree = (await owner.get("/api/v1/monitor/traces")).json()["items"][0]["id"]
    spans = (await owner.get(f"/api/v1/monitor/traces/{tree}")).json()["spans"]
    pages = [*_lists(), *(f"services/{name}" for name in ServiceType), f"jobs/{whose}/{job}", f"runs/{whose}/{tree}"]
    pages += [f"runs/{whose}/{tree}/spans/{span['id']}" for span in spans] + [f"chats/{whose}/with-a-secret"]
    secrets = (canary, llm.key, clients.container.settings().values.secret_key.get_secret_value(), PASSWORD)
    for page in pages:
        answer = await visitor.get(f"/dashboard/{page}")
        assert answer.status_code == 200, page
        assert not [secret for secret in secrets if secret in answer.text], page


async def test_lists_hold_what_is_everybodys_and_pages_cover_it_once(
    clients: Clients, visitor: httpx.AsyncClient, upload: Upload
) -> None:
    owners = [await clients.logged_in(name) for name in ("first", "second")]
    for client in owners:
        flow = (await upload(client))["id"]
        for _ in range(3):
            job = (await client.post(f"/api/v1/build/{flow}/flow", json={})).json()["job_id"]
            await client.get(f"/api/v1/build/{job}/events")
            await client.post("/api/v1/tasks", json={"flow_id": flow, "delay": 3600})
    container = clients.container

    async def covered(page: Callable[[str | None], Awaitable[Any]]) -> list[Any]:
        found, cursor = [], None
        while True:
            part = await page(cursor)
            found += part.items
            if (cursor := part.next_cursor) is None:
                return found

    for lists in (
        lambda cursor: container.job_queue().list_all(limit=2, cursor=cursor),
        lambda cursor: container.task().list_all(limit=2, cursor=cursor, status=TaskStatus.QUEUED),
        lambda cursor: container.tracing().runs_of_all(limit=2, cursor=cursor),
    ):
        found = await covered(lists)
        assert len({one.id for one in found}) == len(found) == 6
        assert len({one.user_id for one in found}) == 2
        moments = [getattr(one, "created_at", None) or one.started_at for one in found]
        assert moments == sorted(moments, reverse=True)
    for page in ("runs", "jobs", "tasks", "chats"):
        everybody = (await visitor.get(f"/dashboard/{page}")).text
        one = (await visitor.get(f"/dashboard/{page}", params={"user": "first"})).text
        assert ">second<" in everybody, page
        assert ">first<" in one, page
        assert ">second<" not in one, page
        nobody = await visitor.get(f"/dashboard/{page}", params={"user": "nobody"})
        assert ">first<" not in nobody.text, page


async def test_a_run_of_a_thousand_steps_is_one_page_and_is_not_sent_again_unchanged(
    clients: Clients, visitor: httpx.AsyncClient
) -> None:
    user, tracing = await clients.user(SUPERUSER), clients.container.tracing()
    async with tracing.run(user_id=user.id, name="a long one") as run:
        for number in range(1_000):
            with tracing.span(f"step {number}"):
                pass
        await tracing.flush(60)
        page = await visitor.get(f"/dashboard/runs/{user.id}/{run.id}")
        assert page.text.count('<a id="s-') == 1_000
        seen = page.text.partition("?seen=")[2].partition('"')[0]
        again = {"params": {"seen": seen}, "headers": {"HX-Request": "true"}}
        assert (await visitor.get(f"/dashboard/runs/{user.id}/{run.id}", **again)).status_code == 204
        with tracing.span("one more"):
            pass
        await tracing.flush(60)
        more = await visitor.get(f"/dashboard/runs/{user.id}/{run.id}", **again)
        assert "one more" in more.text
        assert "<html" not in more.text


async def test_a_job_is_cancelled_and_a_dead_letter_requeued_and_both_are_audited(
    clients: Clients, visitor: httpx.AsyncClient, upload: Upload, llm: LocalLLM
) -> None:
    owner = await clients.logged_in("owner")
    flow, whose = (await upload(owner))["id"], (await clients.user("owner")).id
    gate = Gate()
    llm.script(Fault(hold=gate))
    job = (await owner.post(f"/api/v1/build/{flow}/flow", json={})).json()["job_id"]
    answer = await visitor.post(f"/dashboard/jobs/{whose}/{job}/cancel", headers=ORIGIN)
    gate.open()
    assert (answer.status_code, answer.headers["location"]) == (303, f"/dashboard/jobs/{whose}/{job}")
    assert "cancelled" in (await visitor.get(answer.headers["location"])).text

    body = {"flow_id": flow, "max_attempts": 1}
    empty = (await owner.post("/api/v1/flows/", json={"name": "without a graph"})).json()["id"]
    task = (await owner.post("/api/v1/tasks", json=body | {"flow_id": empty})).json()["id"]
    tasks = clients.container.task()
    assert (await tasks.wait(whose, uuid.UUID(task), timeout=60)).status is TaskStatus.FAILED
    dead = (await visitor.get("/dashboard/tasks?status=failed")).text
    assert f"/dashboard/tasks/{whose}/{task}/requeue" in dead
    assert (await visitor.post(f"/dashboard/tasks/{whose}/{task}/requeue", headers=ORIGIN)).status_code == 303
    assert (await tasks.wait(whose, uuid.UUID(task), timeout=60)).attempt == 2
    later = (await owner.post("/api/v1/tasks", json=body | {"delay": 3600})).json()["id"]
    assert (await visitor.post(f"/dashboard/tasks/{whose}/{later}/cancel", headers=ORIGIN)).status_code == 303
    assert (await tasks.get(whose, uuid.UUID(later))).status is TaskStatus.CANCELLED

    superuser = await clients.superuser()
    kinds = ("job_cancelled", "task_requeued", "task_cancelled")
    for kind, target in zip(kinds, (job, task, later), strict=True):
        [event] = (await superuser.get("/api/v1/auth/audit", params={"kind": kind})).json()["events"]
        assert (event["target_id"], event["user_id"]) == (target, str(whose))
        assert event["actor_id"] == str((await clients.user(SUPERUSER)).id)


@pytest.fixture
async def stream(clients: Clients, visitor: httpx.AsyncClient) -> AsyncIterator[Stream]:
    """Reads the names of events that a real server sends to an open page."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(clients.app, lifespan=False))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=visitor.headers, timeout=60))

        async def names(path: str = "live") -> AsyncIterator[str]:
            async with client.stream("GET", f"/dashboard/{path}") as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        yield line.removeprefix("event: ")

        yield names


async def test_an_open_page_is_told_of_moments_services_and_jobs(
    clients: Clients, upload: Upload, stream: Stream
) -> None:
    owner = await clients.logged_in("owner")
    flow = (await upload(owner))["id"]
    seen: list[str] = []
    async for name in stream():
        seen.append(name)
        if name == "moment" and seen.count("moment") == 1:
            await owner.post(f"/api/v1/build/{flow}/flow", json={})
        if {"history", "moment", "services", "tick", "jobs"} <= set(seen):
            break
    assert seen[0] == "history"


async def test_the_stream_ends_with_the_session(
    clients: Clients,
    visitor: httpx.AsyncClient,
    stream: Stream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dashboard_visit, "LOOK_AGAIN", 0)
    seen: list[str] = []
    async for name in stream():
        seen.append(name)
        if name == "tick" and "signed out" not in seen:
            await visitor.post("/dashboard/sign-out", headers=ORIGIN)
            seen.append("signed out")
    assert seen[-1] == "goodbye"


async def test_the_stream_ends_when_the_server_does(clients: Clients, stream: Stream) -> None:
    async for name in stream():
        if name == "tick":
            await clients.app.state.drain()


async def test_the_log_of_a_job_is_followed_to_its_end(
    clients: Clients, upload: Upload, llm: LocalLLM, stream: Stream
) -> None:
    owner, whose = await clients.logged_in("owner"), (await clients.user("owner")).id
    gate = Gate()
    llm.script(Fault(hold_after=(1, gate)))
    flow = (await upload(owner))["id"]
    job = (await owner.post(f"/api/v1/build/{flow}/flow", json={})).json()["job_id"]
    seen: list[str] = []
    async for name in stream(f"jobs/{whose}/{job}/events?after=0"):
        seen.append(name)
        gate.open()
    assert seen[-1] == "end"
    assert set(seen[:-1]) == {"rows"}
    assert [name async for name in stream(f"jobs/{whose}/{job}/events?after=100000")] == ["end"]


def test_an_open_page_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    """The command itself, which has nothing to cancel when it ends."""
    environment = {
        "BEDPLATE_AUTH__SUPERUSER": SUPERUSER,
        "BEDPLATE_AUTH__SUPERUSER_PASSWORD": PASSWORD,
        "BEDPLATE_SERVER__DRAIN_TIMEOUT": "60",
    }
    with Replica(tmp_path, environment) as replica, httpx.Client(base_url=replica.url, timeout=60) as client:
        fields = {"username": SUPERUSER, "password": PASSWORD}
        answer = client.post("/dashboard/sign-in", data=fields, headers={"Origin": replica.url})
        cookie = answer.headers["set-cookie"].partition(";")[0]
        with client.stream("GET", "/dashboard/live", headers={"Cookie": cookie}) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: history"
            os.kill(replica.pid, signal.SIGTERM)
            list(lines)
        assert replica.terminate() == 0
        assert "Cancel" not in replica.output


async def test_nothing_is_measured_when_nobody_looks(
    clients: Clients, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard_live, "LINGER", 0)
    asked = 0
    health = clients.container.health

    async def counted() -> Any:
        nonlocal asked
        asked += 1
        return await health()

    monkeypatch.setattr(clients.container, "health", counted)
    assert asked == 0
    async for name in stream():
        if name == "services":
            break
    assert asked > 0
    # It ends by itself, and if it did not, this would wait for ever.
    for task in asyncio.all_tasks():
        if task.get_name() == "bedplate-dashboard":
            await task


def test_a_start_loads_nothing_of_it() -> None:
    """The budget of a start has no room for pages that are not asked for."""
    program = (
        "import sys; from bedplate.containers import ApplicationContainer; "
        "from bedplate.wiring.http import create_app; create_app(ApplicationContainer()); "
        "print([name for name in sys.modules if name.startswith(('jinja2', 'bedplate.wiring.http.dashboard.'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
