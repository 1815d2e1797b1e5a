"""Takes the pictures in docs/images, of a server that has something to do: ``python -m tests.browser.screenshots``."""

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright
from tests.browser.chromium import chromium
from tests.servers.replicas import Replica

from bedplate.wiring.testing.llm import LocalLLM

_ROOT = Path(__file__).parents[2]
_IMAGES = _ROOT / "docs/images"
_PASSWORD = "an analytical engine"
_QUESTIONS = (
    "What does a bedplate do in an engine?",
    "Which services does the cache need?",
    "My name is Ada. Remember it, please.",
    "What is my name?",
    "Summarise what we have said so far.",
)


def _answer(messages: Any) -> str:
    asked = messages[-1].content
    return (
        f"You asked: {asked} A bedplate is the cast base on which the parts of an engine are mounted and held in line, "
        "so that shafts and bearings stay true while everything around them moves."
    )


class _Work:
    """Users who run a flow now and then.

    Args:
        url: The server.
        llm: The language model.
    """

    def __init__(self, url: str, llm: LocalLLM) -> None:
        self._llm = llm
        self._document = json.loads((_ROOT / "examples/flows/memory_chatbot.json").read_text(encoding="utf-8"))
        self._clients = [(name, *self._user(url, name)) for name in ("ada", "grace", "katherine")]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _user(self, url: str, name: str) -> tuple[httpx.Client, str]:
        client = httpx.Client(base_url=url, timeout=60)
        if name != "ada":
            client.post("/api/v1/users/", json={"username": name, "password": _PASSWORD})
        tokens = client.post("/api/v1/login", data={"username": name, "password": _PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        body = {"name": "OPENAI_API_KEY", "value": self._llm.key, "type": "Credential", "default_fields": ["api_key"]}
        client.post("/api/v1/variables/", json=body)
        flow = {"name": self._document["name"], "data": self._document["data"]}
        return client, client.post("/api/v1/flows/", json=flow).json()["id"]

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            name, client, flow = self._clients[number * number % 3]
            for _ in range(1 + number % 7 // 2):
                client.get("/api/v1/flows/")
                client.get(f"/api/v1/monitor/messages?session_id={name}-and-the-model")
            text = _QUESTIONS[number % len(_QUESTIONS)]
            body = {"inputs": {"input_value": text, "session": f"{name}-and-the-model"}}
            client.post(f"/api/v1/build/{flow}/flow", json=body)
            number += 1
            self._stop.wait(0.2 + number % 11 / 12)


def _picture(page: Page, name: str, *, whole: bool = True) -> None:
    page.screenshot(path=_IMAGES / f"{name}.png", full_page=whole)


def main() -> int:
    """Take them."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120
    _IMAGES.mkdir(exist_ok=True)
    environment = {
        "BEDPLATE_PROFILE": "embedded",
        "BEDPLATE_AUTH__SUPERUSER": "ada",
        "BEDPLATE_AUTH__SUPERUSER_PASSWORD": _PASSWORD,
        "BEDPLATE_AUTH__SIGN_UP": "open",
        "BEDPLATE_TELEMETRY__LOG_LEVEL": "warning",
    }
    with tempfile.TemporaryDirectory() as folder, LocalLLM(answer=_answer) as llm, sync_playwright() as playwright:
        llm_url = {"BEDPLATE_SESSION__LLM_BASE_URL": llm.base_url}
        with Replica(Path(folder), environment | llm_url) as replica, _Work(replica.url, llm):
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            for scheme in ("light", "dark"):
                page = browser.new_page(
                    base_url=replica.url, color_scheme=scheme, viewport={"width": 1280, "height": 800}
                )
                page.goto("/")
                page.get_by_label("User name").fill("ada")
                page.get_by_label("Password").fill(_PASSWORD)
                page.get_by_role("button", name="Sign in").click()
                page.locator("#connection[data-state=live]").wait_for()
                time.sleep(seconds if scheme == "light" else 3)
                _picture(page, f"dashboard-{scheme}")
                page.goto("/dashboard/runs?user=ada")
                page.locator("#list tbody a").first.click()
                page.locator(".spans a[data-kind=LLM]").click()
                page.locator("#step .value").first.wait_for()
                _picture(page, f"run-{scheme}", whole=False)
                page.close()
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
