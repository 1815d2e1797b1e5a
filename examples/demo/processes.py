"""Servers and workers of a demo's own, as processes with data directories of their own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from examples.demo.steps import DifferenceError

__all__ = ["PATIENT", "Place", "Running", "Server", "free_port"]

_START_SECONDS = 60
_STOP_SECONDS = 40

PATIENT: Mapping[str, str] = {
    "BEDPLATE_TELEMETRY__LOG_LEVEL": "warning",
    # Tasks are for the workers, and who is dead is known soon.
    "BEDPLATE_TASK__EXECUTE": "false",
    "BEDPLATE_TASK__LEASE_TTL": "2",
    "BEDPLATE_TASK__POLL_INTERVAL": "0.1",
    "BEDPLATE_TASK__PROGRESS_INTERVAL": "0.1",
}
"""Settings under which a demo has to wait for nothing."""


class Running:
    """A process that runs.

    Args:
        command: What it was started with, after ``bedplate``.
        process: The process.
        output: The file that it prints to.
    """

    def __init__(self, command: str, process: "subprocess.Popen[bytes]", output: Path) -> None:
        self.command = command
        self.output = output
        self._process = process

    @property
    def code(self) -> int | None:
        """What it ended with; None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """End it as a power failure would, with the processes that it has started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_STOP_SECONDS)

    def stop(self) -> None:
        """Ask it to end, and wait until it has.

        Raises:
            DifferenceError: It did not end well.
        """
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(_STOP_SECONDS) not in (0, -signal.SIGTERM, -signal.SIGKILL):
            text = self.output.read_text()
            raise DifferenceError(f"`bedplate {self.command}` ended with {self.code}:\n{text}")


class Server:
    """A server.

    Args:
        process: Its process.
        url: Where it answers.

    Attributes:
        setup_link: The one-time link that it printed; empty where there is a superuser already.
    """

    def __init__(self, process: Running, url: str) -> None:
        self.process = process
        self.url = url
        self.setup_link = ""

    def is_ready(self, text: str) -> bool:
        """Whether it answers, and has printed what it has to say."""
        try:
            ready = httpx.get(f"{self.url}/readyz").status_code == httpx.codes.OK and "Address: " in text
        except httpx.TransportError:
            return False
        if link := re.search(r"http://\S+/setup\?token=\S+", text):
            self.setup_link = link.group()
        return ready


class Place:
    """Where processes have their data, and what they are told.

    Args:
        folder: A folder of their own.
        environment: Their variables; the ``BEDPLATE_*`` of this process are none of theirs.
        port: Where a server listens.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], *, port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.url = f"http://127.0.0.1:{port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BEDPLATE_")}
        own = {"BEDPLATE_DATA_DIR": str(folder / "data"), "BEDPLATE_SERVER__PORT": str(port)}
        self._environment = kept | own | dict(environment)

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """Start ``bedplate serve``; stop it by SIGTERM at the end, unless it has ended.

        Raises:
            DifferenceError: It did not become ready, or did not end well.
        """
        with self._running("serve", "serve") as running:
            server = Server(running, self.url)
            self._wait(running, server.is_ready)
            yield server

    @contextmanager
    def working(self, name: str) -> Iterator[Running]:
        """Start ``bedplate worker``; stop it by SIGTERM at the end, unless it has ended.

        Raises:
            DifferenceError: It did not become ready, or did not end well.
        """
        with self._running("worker", name) as worker:
            self._wait(worker, lambda text: "Worker:  ready" in text)
            yield worker

    @contextmanager
    def _running(self, command: str, name: str) -> Iterator[Running]:
        output = self._folder / f"{name}.log"
        with output.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - one of the two commands above
                [sys.executable, "-m", "bedplate", command],
                env=self._environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                # Ctrl-C at the terminal is for who started it: engines have to outlive what uses them.
                start_new_session=True,
            )
        running = Running(command, process, output)
        try:
            yield running
        finally:
            running.stop()

    def _wait(self, running: Running, ready: Callable[[str], bool]) -> None:
        """Look at what a process has printed until that is enough."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and running.code is None:
            if ready(running.output.read_text()):
                return
            time.sleep(0.05)
        raise DifferenceError(f"`bedplate {running.command}` is not ready:\n{running.output.read_text()}")


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
