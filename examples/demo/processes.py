"""A server and workers of the demo's own, as processes over an empty data directory."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx
from examples.demo.steps import DifferenceError

__all__ = ["Place", "Server", "Worker"]

T = TypeVar("T")

_START_SECONDS = 60
_STOP_SECONDS = 30


class Server:
    """A running server.

    Attributes:
        url: Where it answers.
        setup_link: The one-time link that it printed.
    """

    def __init__(self, url: str, setup_link: str) -> None:
        self.url = url
        self.setup_link = setup_link


class Worker:
    """A running worker.

    Attributes:
        name: What the demo calls it.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self._process = process

    def kill(self) -> None:
        """End it as a power failure would."""
        self._process.kill()
        self._process.wait(_STOP_SECONDS)


class Place:
    """Where the processes of a demo have their data, and what they are told.

    Args:
        folder: An empty folder.
        llm_url: The endpoint of the language model.
    """

    def __init__(self, folder: Path, llm_url: str) -> None:
        self._folder = folder
        self._port = _free_port()
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("BEDPLATE_")} | {
            "BEDPLATE_DATA_DIR": str(folder / "data"),
            "BEDPLATE_SERVER__PORT": str(self._port),
            "BEDPLATE_SESSION__LLM_BASE_URL": llm_url,
            "BEDPLATE_TELEMETRY__LOG_LEVEL": "warning",
            # Tasks are for the workers, and who is dead is known soon.
            "BEDPLATE_TASK__EXECUTE": "false",
            "BEDPLATE_TASK__LEASE_TTL": "2",
            "BEDPLATE_TASK__POLL_INTERVAL": "0.1",
            "BEDPLATE_TASK__PROGRESS_INTERVAL": "0.1",
        }

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """Start ``bedplate serve``; stop it by SIGTERM at the end.

        Raises:
            DifferenceError: It did not become ready, or did not end well.
        """
        with self._running("serve") as (process, output):
            yield _wait_until_ready(process, f"http://127.0.0.1:{self._port}", output)

    @contextmanager
    def working(self, name: str) -> Iterator[Worker]:
        """Start ``bedplate worker``; stop it by SIGTERM at the end, unless it was killed.

        Raises:
            DifferenceError: It did not become ready, or did not end well.
        """
        with self._running("worker", name) as (process, output):
            _wait(process, output, lambda text: "Worker:  ready" in text)
            yield Worker(name, process)

    @contextmanager
    def _running(self, command: str, name: str = "") -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        output = self._folder / f"{name or command}.log"
        with output.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - one of the two commands above
                [sys.executable, "-m", "bedplate", command],
                env=self._environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        try:
            yield process, output
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(_STOP_SECONDS)
        if code not in (0, -signal.SIGTERM, -signal.SIGKILL):
            raise DifferenceError(f"`bedplate {command}` ended with {code}:\n{output.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, output: Path) -> Server:
    def ready(text: str) -> Server | None:
        try:
            answers = httpx.get(f"{url}/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            answers = False
        link = re.search(r"http://\S+/setup\?token=\S+", text)
        return Server(url, link.group()) if answers and link else None

    return _wait(process, output, ready)


def _wait(process: subprocess.Popen[bytes], output: Path, ready: Callable[[str], T | None]) -> T:
    """Look at what a process has printed until that is enough."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := ready(output.read_text()):
            return found
        time.sleep(0.05)
    raise DifferenceError(f"it did not become ready:\n{output.read_text()}")
