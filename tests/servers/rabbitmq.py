"""A real RabbitMQ, where it is installed: a node of its own in a folder, on ports of its own."""

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bedplate.wiring.testing.servers.postgres import free_port

__all__ = ["rabbitmq"]

_READY = 60.0
_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""What the command of that name starts as another user; a node in a folder of the test's own needs none."""


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """Run a node for the length of a block; yields its URL.

    Where the program is not installed the test is skipped by name, in CI it fails: `.ci/run` installs it.
    """
    if not _PROGRAM.exists():
        message = "rabbitmq-server is not installed: apt-get install rabbitmq-server"
        pytest.fail(message) if "CI" in os.environ else pytest.skip(message)
    port, directory_port = free_port(), free_port()
    directory = shutil.which("epmd")
    assert directory is not None
    with ExitStack() as stack:
        # The directory of the names of nodes: the node would start one that outlives it.
        stack.enter_context(_running([directory, "-address", "127.0.0.1", "-port", str(directory_port)], folder, {}))
        node = stack.enter_context(_running([str(_PROGRAM)], folder, _environment(folder, port, directory_port)))
        _wait(node, folder)
        yield f"amqp://guest:guest@127.0.0.1:{port}//"


def _environment(folder: Path, port: int, directory_port: int) -> dict[str, str]:
    return {
        "HOME": str(folder),  # where the cookie of Erlang is
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(directory_port),
        "RABBITMQ_NODENAME": f"bedplate-{uuid.uuid4().hex[:8]}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none-either"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }


@contextmanager
def _running(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with _log(folder).open("ab") as log:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=log, stderr=log, cwd=folder, process_group=0
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it keeps nothing that a test reads, and takes seconds to end well
        process.wait(_READY)


def _wait(node: "subprocess.Popen[bytes]", folder: Path) -> None:
    until = time.monotonic() + _READY
    while b"Server startup complete" not in _log(folder).read_bytes():
        assert node.poll() is None, _log(folder).read_text()
        assert time.monotonic() < until, _log(folder).read_text()
        time.sleep(0.05)


def _log(folder: Path) -> Path:
    return folder / "rabbitmq.log"
