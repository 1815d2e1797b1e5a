"""The dashboard as a person sees it, in Chromium."""

from collections.abc import Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from tests.browser.conftest import NAME, PASSWORD, Site, sign_in
from tests.servers.replicas import Replica

from bedplate.services.schema import ServiceType
from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.servers.valkey import ValkeyServer
from bedplate.wiring.testing.signals import Gate

expect.set_options(timeout=30_000)

Dashboard = Callable[..., Page]

_ON_REDIS = {"cache": "down", "job_queue": "down", "state": "down", "socket": "degraded"}
"""Services that need Redis, and what they are without: events of sockets wait for a while."""

_COLOUR = "selector => getComputedStyle(document.querySelector(selector)).getPropertyValue('--state')"
_DOWN = "getComputedStyle(document.documentElement).getPropertyValue('--down')"


_ASKS_AGAIN = """() => new Promise(told => {
  document.body.addEventListener("htmx:beforeRequest", event => told(!event.defaultPrevented), {once: true});
})"""
"""Whether the next time that a list is to be drawn anew, it is."""


@pytest.fixture
def held(llm: LocalLLM) -> Iterator[Gate]:
    """Holds the next answer of the language model half way."""
    gate = Gate()
    llm.script(Fault(hold_after=(2, gate)))
    yield gate
    gate.open()
    llm.reset()


def test_the_first_run_link_leads_to_the_dashboard_and_signing_out_leaves_it(dashboard: Dashboard) -> None:
    """The link is followed by the fixture; what is seen here is what comes after."""
    page = dashboard()
    expect(page.get_by_role("heading", name="Container")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/dashboard/jobs")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_wrong_password_is_told_and_nothing_is_shown(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site.replica.url)
    page.watched.expected = ("401",)  # type: ignore[attr-defined]
    page.goto("/")
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("User name")).to_have_value(NAME)


def test_the_drawing_shows_sixteen_services_that_are_up(dashboard: Dashboard) -> None:
    page = dashboard()
    boxes = page.locator("svg a.service")
    expect(boxes).to_have_count(16)
    assert {box.get_attribute("data-service") for box in boxes.all()} == {str(one) for one in ServiceType}
    expect(page.locator("#summary")).to_have_text("all 16 services up")
    expect(page.locator("#connection")).to_have_text("live")
    page.locator("#service-cache").click()
    expect(page.get_by_role("heading", name="cache", exact=True)).to_be_visible()
    expect(page.get_by_role("row", name="cache.max_entries")).to_contain_text("10000")
    page.get_by_role("link", name="Documentation").click()
    expect(
        page.get_by_text("Values that expire", exact=False).or_(page.get_by_text("get_or_set").first)
    ).to_be_visible()


def test_charts_draw_what_is_measured(dashboard: Dashboard, site: Site) -> None:
    page = dashboard()
    chart = page.locator("#chart-lag")
    expect(chart.locator(".now")).to_contain_text("longest")
    expect(chart.locator(".now span").first).to_contain_text("s")
    assert page.locator(".chart canvas").count() == page.locator(".chart").count() == 8


def test_a_run_appears_while_it_runs_and_its_waterfall_is_right(dashboard: Dashboard, site: Site, held: Gate) -> None:
    page = dashboard("/dashboard/runs")
    job = site.run("Hello from the browser", "watched")
    row = page.get_by_role("row").filter(has_text="watched")
    expect(row).to_contain_text("running")
    row.get_by_role("link").click()
    expect(page.locator("h1 + .status")).to_have_text("running")
    steps = page.locator(".spans li")
    model = steps.filter(has_text="Language Model")
    expect(model.locator("a")).to_have_attribute("data-health", "running")
    first = model.locator("[data-since]").inner_text()
    expect(model.locator("[data-since]")).not_to_have_text(first)  # the time goes on, though nothing else does
    held.open()
    site.wait(job)
    expect(page.locator("h1 + .status")).to_have_text("ok")
    expect(steps).to_have_count(5)
    expect(page.locator("#about")).to_contain_text("Outputs of the run")
    expect(page.locator('.spans a:not([data-health="ok"])')).to_have_count(0)
    ends = {}
    for step in steps.all():
        bar = step.locator("rect")
        x, width = float(bar.get_attribute("x") or -1), float(bar.get_attribute("width") or -1)
        assert 0 <= x <= x + width <= 1000.1
        ends[step.locator(".what").inner_text().split("\n")[-1].strip()] = (x, x + width)
    names = list(ends)
    llm, output = next(one for one in names if "Language Model" in one), next(one for one in names if "Output" in one)
    assert ends[llm][1] <= ends[output][0] + 2.1  # what is shorter than a line is drawn as wide as one
    steps.filter(has_text="Language Model").locator("a").click()
    expect(steps.filter(has_text="Language Model").locator("a")).to_have_attribute("aria-current", "true")
    detail = page.locator("#step")
    expect(detail).to_contain_text("You said: Hello from the browser")
    expect(detail).to_contain_text("Tokens")
    assert site.llm.key not in page.content()


def test_a_job_is_cancelled_by_its_button(dashboard: Dashboard, site: Site, held: Gate) -> None:
    page = dashboard("/dashboard/jobs", timezone_id="Asia/Kolkata", locale="en-GB")
    job = site.run("Go on for ever", "to-be-cancelled")
    row = page.get_by_role("row").filter(has_text="to-be-cancelled")
    expect(row).to_contain_text("running")
    row.get_by_role("link").click()
    events = page.locator("#events li")
    expect(events.filter(has_text="token").first).to_be_visible()
    time = events.last.locator("time")
    at = datetime.fromisoformat(time.get_attribute("datetime") or "").astimezone(ZoneInfo("Asia/Kolkata"))
    expect(time).to_have_text(f"{at:%H:%M:%S}.{at.microsecond // 1000:03}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("h1 + .status")).to_have_text("cancelled")
    expect(events.last).to_contain_text("cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    page.goto("/dashboard/audit?kind=job_cancelled")
    expect(page.get_by_role("row").filter(has_text="job cancelled")).to_contain_text(NAME)
    assert job in page.request.get("/dashboard/jobs?status=cancelled").text()
    page.goto("/dashboard/jobs")
    page.evaluate("new Promise(done => document.body.addEventListener('htmx:afterSettle', done, {once: true}))")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#list tbody th'))")
    assert page.evaluate(_ASKS_AGAIN) is False, "what is marked to be copied is left alone"


@pytest.fixture(scope="module")
def on_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Replica, ValkeyServer]]:
    """A server that may be stopped, and the Redis that some of its services are on."""
    folder = tmp_path_factory.mktemp("on-redis")
    environment = {
        "BEDPLATE_PROFILE": "embedded",
        "BEDPLATE_AUTH__SUPERUSER": NAME,
        "BEDPLATE_AUTH__SUPERUSER_PASSWORD": PASSWORD,
        "BEDPLATE_TELEMETRY__LOG_LEVEL": "error",
    } | {f"BEDPLATE_{name.upper()}__BACKEND": "redis" for name in _ON_REDIS}
    with (
        ValkeyServer(folder) as valkey,
        Replica(folder / "replica", environment | {"BEDPLATE_REDIS__URL": valkey.url}) as replica,
    ):
        yield replica, valkey


def test_a_stopped_redis_turns_its_services_red_and_back(
    on_redis: tuple[Replica, ValkeyServer], open_page: Callable[..., Page]
) -> None:
    """The page stays open: it is told by its stream."""
    replica, valkey = on_redis
    page = open_page(replica.url)
    page.goto("/")
    sign_in(page)
    summary = page.locator("#summary")
    services = {page.locator(f"#service-{name}"): without for name, without in _ON_REDIS.items()}
    for service in services:
        expect(service).to_contain_text("redis")
    expect(summary).to_have_text("all 16 services up")
    valkey.stop()
    for service, without in services.items():
        expect(service).to_have_attribute("data-health", without)
        expect(service.locator(".state")).to_have_text(without)
    expect(summary).to_have_attribute("data-health", "down")
    assert page.evaluate(_COLOUR, "#service-cache") == page.evaluate(_DOWN)
    expect(page.locator("#service-database")).to_have_attribute("data-health", "up")
    valkey.start()
    for service in services:
        expect(service).to_have_attribute("data-health", "up")
    expect(summary).to_have_text("all 16 services up")


def test_a_server_that_comes_back_finds_its_pages_live_and_those_without_a_session_at_the_sign_in(
    on_redis: tuple[Replica, ValkeyServer], open_page: Callable[..., Page]
) -> None:
    replica, _ = on_redis
    stays, ends = open_page(replica.url), open_page(replica.url)
    for page in (stays, ends):
        page.watched.expected = ("ERR_", "401", "Event", "htmx:")  # type: ignore[attr-defined]
        page.goto("/dashboard/sign-in?next=/dashboard/jobs%3Fstatus%3Dfailed")
        sign_in(page)
        expect(page.locator("#connection")).to_have_text("live")
    replica.terminate()
    for page in (stays, ends):
        expect(page.locator("#connection")).to_have_text("reconnecting")
    ends.context.clear_cookies()
    replica.begin()
    replica.wait_ready()
    expect(stays.locator("#connection")).to_have_text("live")
    expect(ends.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(ends)
    ends.wait_for_url(f"{replica.url}/dashboard/jobs?status=failed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(dashboard: Dashboard, site: Site, scheme: str) -> None:
    job = site.run("Look at this", "looked-at")
    site.wait(job)
    page = dashboard(color_scheme=scheme)
    expect(page.locator("#connection")).to_have_text("live")
    faults = _faults(page, "overview")
    lists = ("runs", "jobs", "tasks", "chats", "storage", "store", "audit", "services/auth/docs")
    # What they are made of is alike in both; the colours of each sort of page are not.
    for path in ("services/cache", *(lists if scheme == "light" else lists[:1])):
        page.goto(f"/dashboard/{path}")
        faults += _faults(page, path)
    for path in ("runs", "jobs", "chats"):
        page.goto(f"/dashboard/{path}")
        page.locator("#list tbody a").first.click()
        page.locator("h1").wait_for()
        faults += _faults(page, f"one of {path}")
    assert faults == []


def _faults(page: Page, what: str) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{what}: {one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_everything_is_reached_by_keyboard(dashboard: Dashboard, site: Site) -> None:
    page = dashboard()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    seen: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.dataset.service || ''"))
        if seen[-1] == "store":
            break
    assert {str(one) for one in ServiceType} <= set(seen)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="store")).to_be_visible()


def test_it_fits_on_a_phone(dashboard: Dashboard, site: Site) -> None:
    name = f"<b>an {'endless' * 30} name"
    flow = site.api.post("/api/v1/flows/", json={"name": name, "data": site.document["data"]}).json()["id"]
    site.wait(site.run("Hello", "on-a-phone-" * 15, flow=flow))
    page = dashboard(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    expect(page.locator(".tiles a.service")).to_have_count(16)
    expect(page.locator(".tiles a.service").first).to_be_visible()
    for path in ("/", "/dashboard/runs", "/dashboard/jobs", "/dashboard/chats", "/dashboard/services/database"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    page.goto("/dashboard/audit")
    expect(page.get_by_role("link", name="Audit log")).to_be_in_viewport(ratio=1)
    for path in ("runs", "chats"):
        page.goto(f"/dashboard/{path}")
        page.locator("#list tbody a").first.click()
        expect(page.locator("h1")).to_contain_text("endless" if path == "runs" else "on-a-phone")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_the_theme_is_switched_and_kept(dashboard: Dashboard) -> None:
    page = dashboard(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.goto("/dashboard/jobs")
    assert page.evaluate(ground) == dark


def test_a_page_that_is_hidden_for_long_gives_its_connection_back_and_is_live_again_when_it_is_seen(
    dashboard: Dashboard,
) -> None:
    page = dashboard()
    expect(page.locator("#connection")).to_have_text("live")
    page.clock.install()
    page.evaluate(_SEEN, True)
    page.clock.fast_forward("04:50")
    expect(page.locator("#connection")).to_have_text("live")
    page.clock.fast_forward("00:20")
    expect(page.locator("#connection")).to_have_text("paused")
    page.evaluate(_SEEN, False)
    expect(page.locator("#connection")).to_have_text("live")


_SEEN = """hidden => {
  Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_nothing_of_what_is_shown_is_run(dashboard: Dashboard, site: Site) -> None:
    """What users type is text, whatever it looks like."""
    job = site.run("<img src=x onerror=alert(1)><script>alert(2)</script>", "<b>bold</b>")
    site.wait(job)
    page = dashboard("/dashboard/runs")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.get_by_role("row").filter(has_text="<b>bold</b>").get_by_role("link").click()
    expect(page.get_by_text("<img src=x onerror=alert(1)>", exact=False).first).to_be_visible()
    page.get_by_role("link", name="<b>bold</b>").click()
    expect(page.locator(".messages")).to_contain_text("<script>alert(2)</script>")
    assert page.locator(".messages img, .messages script, main b:has-text('bold')").count() == 0
