"""CACHE-2, CACHE-6: what replicas do to each other, with real processes at one server."""

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

    def tell(self, command: str) -> None:
        """Let it do something, and do not wait for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def ask(self, command: str) -> object:
        """Let it do something; its answer."""
        self.tell(command)
        return json.loads(self.line())

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


def is_in_memory(client: "redis.Redis", caller: Caller) -> bool:
    """Whether a process answers with what the server has not any more, of which nobody was told."""
    found = caller.ask("get key")
    for key in client.keys("*cache:1:v:*"):
        client.delete(key)
    return found is not None and caller.ask("get key") == found


@pytest.mark.slow
@pytest.mark.xdist_group("valkey")
def test_one_load_for_300_callers_of_three_processes(valkey_url: str, tmp_path: Path) -> None:
    """CACHE-2, CACHE-6: a change reaches the memory of another; who loads and is killed is followed by another."""
    with ExitStack() as stack, redis.Redis.from_url(valkey_url) as client:
        callers = [stack.enter_context(calling(valkey_url, tmp_path)) for _ in range(3)]
        assert [caller.line() for caller in callers] == ["ready"] * 3
        for caller in callers:
            caller.tell("load first")
        until(lambda: client.llen("loads:first"))
        client.set("value:first", "loaded")
        assert [json.loads(caller.line()) for caller in callers] == [["loaded"] * 100] * 3
        assert client.llen("loads:first") == 1

        here, there = callers[:2]
        for change, expected in (("set key new tag", "new"), ("invalidate tag", None)):
            here.ask("set key old tag")
            until(lambda: there.ask("get key") == "old")
            until(lambda: is_in_memory(client, there))
            here.ask("set key old tag")
            until(lambda: there.ask("get key") == "old")
            here.ask(change)
            until(lambda value=expected: there.ask("get key") == value)  # type: ignore[misc]  # mypy infers no default

        for caller in callers:
            caller.tell("load second")
        until(lambda: client.llen("loads:second"))
        killed = int(client.lindex("loads:second", 0))
        os.kill(killed, signal.SIGKILL)
        alive = [caller for caller in callers if caller.process.pid != killed]
        assert len(alive) == 2
        until(lambda: client.llen("loads:second") == 2)
        client.set("value:second", "loaded by another")
        assert [json.loads(caller.line()) for caller in alive] == [["loaded by another"] * 100] * 2
        assert client.llen("loads:second") == 2
