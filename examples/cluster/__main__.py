"""Brings a cluster up on this machine, says where it is, and ends all of it at Ctrl-C or SIGTERM."""

import argparse
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from examples.cluster.cluster import cluster, setup_link
from examples.demo.processes import Running
from examples.demo.steps import DifferenceError


def main() -> int:
    """Run until asked to end."""
    asked = argparse.ArgumentParser(prog="python -m examples.cluster", description=__doc__)
    asked.add_argument("--data", type=Path, default=Path("data/cluster"), help="where everything is kept")
    asked.add_argument("--port", type=int, default=7860, help="port of the first replica; 0 takes free ones")
    asked.add_argument("--replicas", type=int, default=2, help="how many replicas")
    options = asked.parse_args()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _leave)
    ports = [options.port + number if options.port else 0 for number in range(options.replicas)]
    try:
        _run(options.data, ports)
    except DifferenceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _run(data: Path, ports: list[int]) -> None:
    with ExitStack() as stack:
        _say("Starting PostgreSQL, Valkey and S3 …")
        made = stack.enter_context(cluster(data, ports=ports))
        _say("Starting replicas and a worker …")
        servers = stack.enter_context(made.serving())
        worker = stack.enter_context(made.working("worker"))
        _say("", *made.shared.lines)
        _say(*(f"Replica {number}   {server.url}" for number, server in enumerate(servers, 1)))
        _say(f"Worker      {worker.output}", f"Data        {data.absolute()}")
        _say(f"Commands    BEDPLATE_ENV_FILE={made.env_file} bedplate doctor", "")
        link = setup_link(servers)
        _say(f"Make the first superuser at  {link}" if link else f"Sign in at  {servers[0].url}/")
        _say("Ctrl-C ends all of it.")
        stack.callback(_say, "Stopping all of it …")
        _watch([*(server.process for server in servers), worker])


def _watch(processes: list[Running]) -> None:
    """Say which processes end; a cluster goes on without some of them."""
    while True:
        time.sleep(0.5)
        for process in [one for one in processes if one.code is not None]:
            processes.remove(process)
            _say(f"`bedplate {process.command}` has ended with {process.code}; its log is {process.output}")


def _leave(_signum: int, _frame: FrameType | None) -> None:
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)  # what is being stopped is stopped in order
    raise SystemExit(0)


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
