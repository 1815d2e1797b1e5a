"""Runs the main job across a cluster of its own (``make cluster-demo``); ends non-zero if anything differs."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx
from examples.cluster.balancer import Balancer
from examples.cluster.cluster import Cluster, cluster, setup_link
from examples.cluster.hand_over import cancel_elsewhere, change_over, follow_elsewhere, lose_a_replica
from examples.demo import conversation
from examples.demo.client import Client
from examples.demo.files import ask_about_a_file
from examples.demo.live import follow
from examples.demo.processes import PATIENT, Server
from examples.demo.steps import DifferenceError, Steps, check
from examples.demo.tasks import survive_a_worker

from bedplate.wiring.testing.llm import LocalLLM

_FLOW = Path(__file__).parents[1] / "flows" / "memory_chatbot.json"
_PATIENT = {"BEDPLATE_JOB_QUEUE__LEASE_TTL": "3", **PATIENT}


def main() -> int:
    """Run every step against a cluster in a folder that is deleted in the end."""
    steps = Steps()
    try:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bedplate-cluster-"))
            llm = stack.enter_context(LocalLLM())
            with steps.step("start PostgreSQL, Valkey and S3") as step:
                told = {"BEDPLATE_SESSION__LLM_BASE_URL": llm.base_url, **_PATIENT}
                made = stack.enter_context(cluster(Path(folder), told))
                step.saw(", ".join(" ".join(line.split()) for line in made.shared.lines))
            with steps.step("start two replicas on them") as step:
                servers = stack.enter_context(made.serving())
                step.saw(" and ".join(server.url for server in servers))
            _run(steps, made, servers, llm)
    except DifferenceError:
        return 1
    steps.summary()
    return 0


def _run(steps: Steps, made: Cluster, servers: list[Server], llm: LocalLLM) -> None:
    balancer = Balancer([server.url for server in servers])
    client = Client(servers[0].url, transport=balancer)
    tokens = conversation.set_up(steps, client, setup_link(servers))
    one, other = (Client(server.url, like=client) for server in servers)
    conversation.store_credential(steps, client, llm)
    flow = conversation.upload(steps, client, _FLOW)
    key = client.call("POST", "/api/v1/api_key/", json={"name": "demo"})["api_key"]
    conversation.converse(steps, client, flow, key)
    conversation.reconnect(steps, client, conversation.stream(steps, client, flow))
    follow_elsewhere(steps, one, other, flow)
    change_over(steps, one, other, flow, llm)
    cancel_elsewhere(steps, one, other, flow, llm)
    ask_about_a_file(steps, client, flow)
    follow(steps, one, flow, again=other)
    survive_a_worker(steps, client, flow, made, llm)
    _log_out(steps, one, other, tokens)
    conversation.log_in(steps, client)
    one, other = (Client(server.url, like=client) for server in servers)
    lose_a_replica(steps, servers[0], made.replicas[0], one, other, flow, llm)
    with steps.step("count the requests that went to either replica") as step:
        counts = list(balancer.counts.values())
        check(min(counts) > 5, f"they answered {counts}")
        step.saw(f"{counts[0]} and {counts[1]}; no session stuck to one of them")


def _log_out(steps: Steps, one: Client, other: Client, tokens: dict[str, str]) -> None:
    with steps.step("log out on one replica") as step:
        one.call("POST", "/api/v1/logout")
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        status = other.http.get("/api/v1/users/whoami", headers=headers).status_code
        check(status == httpx.codes.UNAUTHORIZED, f"the other answers {status}")
        step.saw("the token is dead on the other at once")


if __name__ == "__main__":
    sys.exit(main())
