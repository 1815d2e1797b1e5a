"""Runs the demo; ends non-zero if anything differs from what it should be."""

import os
import sys
import tempfile
from pathlib import Path

import httpx
from examples.demo import conversation
from examples.demo.client import Client
from examples.demo.files import ask_about_a_file
from examples.demo.live import follow
from examples.demo.processes import PATIENT, Place, Server, free_port
from examples.demo.sharing import share
from examples.demo.steps import DifferenceError, Steps, check
from examples.demo.tasks import survive_a_worker

from bedplate.wiring.testing.llm import LocalLLM

_FLOWS = Path(__file__).parents[1] / "flows"


def main() -> int:
    """Run every step against a server of the demo's own."""
    steps = Steps()
    try:
        with tempfile.TemporaryDirectory(prefix="bedplate-demo-") as folder, LocalLLM() as llm:
            with steps.step("start the server on an empty data directory") as step:
                told = {"BEDPLATE_SESSION__LLM_BASE_URL": llm.base_url} | PATIENT
                place = Place(Path(folder), told, port=free_port())
                context = place.serving()
                server = context.__enter__()
                step.saw(server.url)
            try:
                _run(steps, server, place, llm)
            finally:
                context.__exit__(*sys.exc_info())
    except DifferenceError:
        return 1
    steps.summary()
    return 0


def _run(steps: Steps, server: Server, place: Place, llm: LocalLLM) -> None:
    client = Client(server.url)
    tokens = conversation.set_up(steps, client, server.setup_link)
    conversation.store_credential(steps, client, llm)
    flow = conversation.upload(steps, client, _FLOWS / "memory_chatbot.json")
    key = client.call("POST", "/api/v1/api_key/", json={"name": "demo"})["api_key"]
    conversation.converse(steps, client, flow, key)
    streamed = conversation.stream(steps, client, flow)
    conversation.cancel(steps, client, flow, llm)
    conversation.reconnect(steps, client, streamed)
    conversation.look_back(steps, client, flow, llm)
    ask_about_a_file(steps, client, flow)
    follow(steps, client, flow)
    survive_a_worker(steps, client, flow, place, llm)
    share(steps, client, flow)
    if reference := os.environ.get("BEDPLATE_REFERENCE_DIR"):
        for path in sorted((Path(reference) / "flows").glob("*.json")):
            conversation.run_reference(steps, client, path, key)
    _leave(steps, client, tokens)


def _leave(steps: Steps, client: Client, tokens: dict[str, str]) -> None:
    with steps.step("log out") as step:
        client.call("POST", "/api/v1/logout")
        answer = client.http.get("/api/v1/users/whoami", headers={"Authorization": f"Bearer {tokens['access_token']}"})
        check(answer.status_code == httpx.codes.UNAUTHORIZED, f"the token answers {answer.status_code}")
        step.saw("the token is dead")


if __name__ == "__main__":
    sys.exit(main())
