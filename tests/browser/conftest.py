"""A real browser, and a real server that it looks at."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.browser.chromium import HOW_TO_GET_IT, chromium
from tests.servers.replicas import Replica

from bedplate.wiring.testing.llm import LocalLLM

pytest.importorskip("playwright", reason=f"needs {HOW_TO_GET_IT}")

from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, sync_playwright

NAME, PASSWORD = "ada", "an analytical engine"
_PATIENCE = 30_000
"""Milliseconds that a page has for anything: many times of what it takes on a machine that does nothing else."""
_FLOW = Path(__file__).parents[2] / "examples/flows/memory_chatbot.json"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            # One browser and one server after another, on one worker.
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.fail(f"the tests in the browser need {HOW_TO_GET_IT}")
    with sync_playwright() as playwright:
        # As root, Chromium refuses to start with its sandbox; it opens pages of this test alone.
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


class Watched:
    """What must not happen in any page: errors in the console, and requests to other hosts.

    Args:
        context: The pages.
        host: Where they may ask.
    """

    def __init__(self, context: BrowserContext, host: str) -> None:
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.expected: tuple[str, ...] = ()
        self._host = host
        context.on("console", lambda message: self._said(message.type, message.text))
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("request", self._asked)

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(part in text for part in self.expected):
            self.errors.append(text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self._host, "data:")):
            self.foreign.append(request.url)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page of a server; in the end, none of them must have complained or asked elsewhere."""
    opened: list[tuple[BrowserContext, Watched]] = []

    def call(url: str, **options: Any) -> Page:
        context = browser.new_context(base_url=url, **options)
        context.set_default_timeout(_PATIENCE)
        watched = Watched(context, url)
        context.route(lambda asked: not asked.startswith((url, "data:")), _refuse)
        opened.append((context, watched))
        page = context.new_page()
        page.watched = watched  # type: ignore[attr-defined]  # for what a test expects
        return page

    yield call
    for context, watched in opened:
        context.close()
        assert watched.errors == []
        assert watched.foreign == []


def _refuse(route: Route) -> None:
    route.abort()


@pytest.fixture(scope="session")
def llm() -> Iterator[LocalLLM]:
    with LocalLLM() as started:
        yield started


class Site:
    """A server with a superuser and a flow.

    Args:
        replica: The server.
        llm: Answers its flows.
    """

    def __init__(self, replica: Replica, llm: LocalLLM) -> None:
        self.replica, self.llm = replica, llm
        self.api = httpx.Client(base_url=replica.url, timeout=60)
        self.flow = ""
        self.document = json.loads(_FLOW.read_text(encoding="utf-8"))

    def log_in(self) -> None:
        """Log in through the API."""
        tokens = self.api.post("/api/v1/login", data={"username": NAME, "password": PASSWORD}).json()
        self.api.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    def upload(self) -> None:
        """Store the credential and the flow."""
        body = {"name": "OPENAI_API_KEY", "value": self.llm.key, "type": "Credential", "default_fields": ["api_key"]}
        self.api.post("/api/v1/variables/", json=body)
        made = self.api.post("/api/v1/flows/", json={"name": self.document["name"], "data": self.document["data"]})
        self.flow = made.json()["id"]

    def run(self, text: str, session: str = "a-conversation", *, flow: str | None = None) -> str:
        """Begin a run of the flow, or of another; the id of its job."""
        body = {"inputs": {"input_value": text, "session": session}}
        answer = self.api.post(f"/api/v1/build/{flow or self.flow}/flow", json=body)
        job: str = answer.json()["job_id"]
        return job

    def wait(self, job: str) -> None:
        """Wait for the end of a job."""
        with self.api.stream("GET", f"/api/v1/build/{job}/events") as answer:
            for _ in answer.iter_lines():
                pass


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory, llm: LocalLLM) -> Iterator[Site]:
    """A server that nobody has set up."""
    environment = {
        "BEDPLATE_SESSION__LLM_BASE_URL": llm.base_url,
        "BEDPLATE_PROFILE": "embedded",
        "BEDPLATE_TELEMETRY__LOG_LEVEL": "warning",
    }
    with Replica(tmp_path_factory.mktemp("browser"), environment) as replica:
        made = Site(replica, llm)
        yield made
        made.api.close()


@pytest.fixture(scope="session")
def site(fresh: Site, browser: Browser) -> Site:
    """The server, set up by its first-run link in the browser."""
    page = browser.new_page()
    page.goto(fresh.replica.setup_link())
    page.fill("#username", NAME)
    page.fill("#password", PASSWORD)
    page.fill("#repeated", PASSWORD)
    page.get_by_role("button", name="Make superuser").click()
    page.get_by_role("link", name="Open the dashboard").click()
    page.get_by_role("heading", name="Container").wait_for()
    assert page.url == f"{fresh.replica.url}/"
    page.close()
    fresh.log_in()
    fresh.upload()
    return fresh


def sign_in(page: Page) -> None:
    """Fill in the form, and send it."""
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def dashboard(site: Site, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a page of the dashboard, signed in."""

    def call(path: str = "/", **options: Any) -> Page:
        page = open_page(site.replica.url, **options)
        page.goto("/dashboard/sign-in" + (f"?next={path}" if path != "/" else ""))
        sign_in(page)
        page.wait_for_url(f"{site.replica.url}{path}")
        return page

    return call
