"""The dashboard in headless Chromium: what a page weighs, when it is seen, how a thousand steps of a run move."""

import asyncio
import shutil
import statistics
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from bedplate.containers import ApplicationContainer
from bedplate.wiring.http import create_app
from bedplate.wiring.testing.serving import serving
from benchmarks.harness import Aim, Row, absolute
from benchmarks.services import run_in, temporary_folder

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page, Response

__all__ = ["rows"]

_NAME, _PASSWORD = "ada", "an analytical engine"
_STEPS = 1_000
_FRAMES = """
() => new Promise(done => {
  const steps = document.querySelector(".fall"), times = [], began = performance.now();
  const frame = now => {
    times.push(now);
    steps.scrollTop = (steps.scrollHeight - steps.clientHeight) * Math.min(1, (now - began) / 2000);
    if (now - began < 2000) requestAnimationFrame(frame);
    else done(times.slice(1).map((time, at) => time - times[at]));
  };
  requestAnimationFrame(frame);
})
"""
"""Scrolls the steps from the top to the bottom in two seconds; milliseconds between frames."""


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Weight and first paint of the first page, and frames of a long run; nothing without Chromium."""
    if shutil.which("chromium") is None:
        print("not measured: the dashboard, for want of Chromium (apt-get install chromium)")
        return
    with temporary_folder() as folder, run_in(runner, folder) as container:
        stack = AsyncExitStack()
        looker = runner.run(_open(stack, container))
        yield absolute(
            "dashboard: first page with all scripts and styles, uncompressed",
            looker.weight,
            unit="KB",
            aim=Aim("≤", 300),
            runner=runner,
            rounds=3,
        )
        yield absolute(
            "dashboard: first contentful paint, nothing cached",
            looker.first_paint,
            unit="ms",
            aim=Aim("≤", 1000),
            runner=runner,
            rounds=9,
        )
        yield absolute(
            f"dashboard: frames while scrolling a run of {_STEPS:,} steps, 95 of 100 within",
            looker.frames,
            unit="ms",
            aim=Aim("≤", 33.4),
            runner=runner,
            rounds=5,
        )
        runner.run(stack.aclose())


class _Looker:
    """A browser that is signed in.

    Args:
        browser: The browser.
        url: The server.
        run: The page of a long run.
    """

    def __init__(self, browser: "Browser", url: str, run: str) -> None:
        self._browser, self._url, self._run = browser, url, run
        self._cookies: list[object] = []

    async def weight(self) -> float:
        """Kilobytes of the first page and all that it loads."""
        context = await self._context()
        page = await context.new_page()
        loaded: list[Response] = []
        page.on("response", lambda one: loaded.append(one))  # not its method, which cannot be marked
        await self._open(page, "/")
        sizes = [len(await one.body()) for one in loaded if not one.url.endswith("/live")]
        await context.close()
        return sum(sizes) / 1e3

    async def first_paint(self) -> float:
        """Milliseconds from asking for the first page to its first contentful paint."""
        context = await self._context()
        page = await context.new_page()
        await self._open(page, "/")
        paint: float = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        await context.close()
        return paint

    async def frames(self) -> float:
        """Milliseconds between two frames, 95 of 100, while a long run is scrolled."""
        context = await self._context()
        page = await context.new_page()
        await self._open(page, self._run)
        times: list[float] = await page.evaluate(_FRAMES)
        await context.close()
        return statistics.quantiles(times, n=20)[-1]

    async def _open(self, page: "Page", path: str) -> None:
        await page.goto(f"{self._url}{path}")
        await page.locator("#connection[data-state=live]").wait_for()

    async def _context(self) -> "BrowserContext":
        context = await self._browser.new_context(viewport={"width": 1440, "height": 900})
        if not self._cookies:
            page = await context.new_page()
            await page.goto(f"{self._url}/dashboard/sign-in")
            await page.fill("#username", _NAME)
            await page.fill("#password", _PASSWORD)
            await page.click("button.main")
            await page.wait_for_url(f"{self._url}/")
            self._cookies = [*await context.cookies()]
            await page.close()
            await context.close()
            return await self._context()
        await context.add_cookies(self._cookies)  # type: ignore[arg-type]  # as they were given
        return context


async def _open(stack: AsyncExitStack, container: ApplicationContainer) -> _Looker:
    from playwright.async_api import async_playwright

    app = create_app(container)
    user = await container.auth().create_superuser(_NAME, _PASSWORD)
    tracing = container.tracing()
    async with tracing.run(user_id=user.id, name="a long run") as run:
        for number in range(_STEPS):
            with tracing.span(f"step {number}"):
                await asyncio.sleep(0)
    await stack.enter_async_context(app.router.lifespan_context(app))
    url = await stack.enter_async_context(serving(app, lifespan=False))
    playwright = await stack.enter_async_context(async_playwright())
    browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    stack.push_async_callback(browser.close)
    return _Looker(browser, url, f"/dashboard/runs/{user.id}/{run.id}")
