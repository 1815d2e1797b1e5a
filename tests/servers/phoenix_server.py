"""A real Arize Phoenix server, in an environment of its own beside this file, made when it is first asked for."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from bedplate.wiring.testing.servers.postgres import free_port

__all__ = ["Phoenix", "phoenix"]

_PROJECT = Path(__file__).parent / "phoenix"
_ROOT = Path(__file__).parents[2]
_READY = 240.0
"""Seconds to the first answer: it takes ten on a machine with nothing else to do."""


class Phoenix(msgspec.Struct, frozen=True):
    """A running server.

    Attributes:
        url: Where it takes spans and answers questions.
    """

    url: str

    def spans(self, project: str) -> list[dict[str, Any]]:
        """The spans that it holds of a project; none if there is no such project."""
        answer = httpx.get(f"{self.url}/v1/projects/{project}/spans", params={"limit": 1000}, timeout=60)
        if answer.status_code == 404:
            return []
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["data"]
        return found


@contextmanager
def phoenix(folder: Path) -> Iterator[Phoenix]:
    """Run a server for the length of a block, with its data in a folder; traffic stays on loopback."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PHOENIX_", "OTEL_"))}
    environment |= {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }
    log = folder / "phoenix.log"
    with log.open("wb") as output:
        server = subprocess.Popen([_command(), "serve"], env=environment, stdout=output, stderr=output)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(server, url, log)
        yield Phoenix(url)
    finally:
        server.kill()
        server.wait()


def _command() -> Path:
    command = _PROJECT / ".venv" / "bin" / "phoenix"
    if not command.exists():
        uv = shutil.which("uv") or str(_ROOT / ".uv" / "bin" / "uv")
        environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        subprocess.run(
            [uv, "sync", "--frozen", "--quiet", "--python", sys.executable],
            cwd=_PROJECT,
            env=environment,
            check=True,
        )
    return command


def _wait(server: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _READY
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/healthz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"Phoenix did not start in {_READY:g} s: {log.read_text(errors='replace')[-2000:]}")
