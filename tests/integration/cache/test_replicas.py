"""CACHE-2: one load for all replicas, with real processes at one server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis

LEASE = 1.0
_PATIENCE = 60.0


class Caller:
    """A process of ``caller.py``."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def ask(self, key: str) -> None:
        """Let it ask for a key, and do not wait for its answers."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{key}\n")
        self.process.stdin.flush()

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def calling(url: str, folder: Path) -> Iterator[Caller]:
    """A process of ``caller.py`` that has not said yet that it is ready."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BEDPLATE_")}
    script = str(Path(__file__).with_name("caller.py"))
    with subprocess.Popen(
        [sys.executable, script, url, str(LEASE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment,
    ) as process:
        try:
            yield Caller(process)
        finally:
            process.kill()


def until(condition: Callable[[], object]) -> None:
    """Wait for something that other processes do."""
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.xdist_group("valkey")
def test_one_load_for_300_callers_of_three_processes(valkey_url: str, tmp_path: Path) -> None:
    """CACHE-2: and when the process that loads is killed, another one takes over within its lease."""
    with ExitStack() as stack, redis.Redis.from_url(valkey_url) as client:
        callers = [stack.enter_context(calling(valkey_url, tmp_path)) for _ in range(3)]
        assert [caller.line() for caller in callers] == ["ready"] * 3
        for caller in callers:
            caller.ask("first")
        until(lambda: client.llen("loads:first"))
        client.set("value:first", "loaded")
        assert [json.loads(caller.line()) for caller in callers] == [["loaded"] * 100] * 3
        assert client.llen("loads:first") == 1

        for caller in callers:
            caller.ask("second")
        until(lambda: client.llen("loads:second"))
        killed = int(client.lindex("loads:second", 0))
        os.kill(killed, signal.SIGKILL)
        alive = [caller for caller in callers if caller.process.pid != killed]
        assert len(alive) == 2
        until(lambda: client.llen("loads:second") == 2)
        client.set("value:second", "loaded by another")
        assert [json.loads(caller.line()) for caller in alive] == [["loaded by another"] * 100] * 2
        assert client.llen("loads:second") == 2
