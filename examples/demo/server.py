"""A server of the demo's own, as a process on a free port with an empty data directory."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from examples.demo.steps import DifferenceError

__all__ = ["Server", "serving"]

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


@contextmanager
def serving(data_dir: Path, llm_url: str) -> Iterator[Server]:
    """Start ``bedplate serve``; stop it by SIGTERM at the end.

    Raises:
        DifferenceError: It did not become ready, or did not end well.
    """
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BEDPLATE_")}
    environment |= {
        "BEDPLATE_DATA_DIR": str(data_dir / "data"),
        "BEDPLATE_SERVER__PORT": str(port),
        "BEDPLATE_SESSION__LLM_BASE_URL": llm_url,
        "BEDPLATE_TELEMETRY__LOG_LEVEL": "warning",
    }
    output = data_dir / "server.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bedplate", "serve"], env=environment, cwd=data_dir, stdout=log, stderr=log
        )
    try:
        yield _wait_until_ready(process, f"http://127.0.0.1:{port}", output)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(_STOP_SECONDS)
    if code not in (0, -signal.SIGTERM):
        raise DifferenceError(f"the server ended with {code}:\n{output.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, output: Path) -> Server:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            ready = httpx.get(f"{url}/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            ready = False
        link = re.search(r"http://\S+/setup\?token=\S+", output.read_text())
        if ready and link:
            return Server(url, link.group())
        time.sleep(0.05)
    raise DifferenceError(f"the server did not become ready:\n{output.read_text()}")
