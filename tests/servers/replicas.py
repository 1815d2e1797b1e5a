"""Processes of `bedplate serve`, which share nothing but the engines that their environment names."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import httpx

from bedplate.wiring.testing.servers.postgres import free_port

__all__ = ["PASSWORD", "SECRET_KEY", "Replica", "replicas", "shared_environment", "signed_in"]

PASSWORD = "correct horse battery staple"
SECRET_KEY = "a-secret-key-of-the-replicas-0123456789abcdef"

_READY = 60.0


class Replica:
    """One server process, at a port that it keeps when it is started again.

    Args:
        folder: A folder of its own, for its data directory and its output.
        environment: Its ``BEDPLATE_*`` variables; those of the test process are left out.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._port = free_port()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("BEDPLATE_")}
        own = {"BEDPLATE_DATA_DIR": str(folder / "data"), "BEDPLATE_SERVER__PORT": str(self._port)}
        self._environment = kept | {"BEDPLATE_PROFILE": "test"} | own | dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        """What it has printed and logged, over all its starts."""
        return (self._folder / "output.log").read_text()

    def __enter__(self) -> Self:
        self.begin()
        self.wait_ready()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def begin(self) -> None:
        """Start the process, and do not wait for it."""
        with (self._folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bedplate", "serve"],
                env=self._environment,
                cwd=self._folder,
                stdout=output,
                stderr=output,
            )

    def wait_ready(self) -> None:
        """Wait until it says that it is ready."""
        until = time.monotonic() + _READY
        while True:
            assert self._process is not None
            assert self._process.poll() is None, self.output
            assert time.monotonic() < until, self.output
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)

    def terminate(self) -> int:
        """Ask it to end as a platform would, and wait until it has; returns its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it at once; returns its exit status."""
        return self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(how)
        return process.wait(_READY)

    def setup_link(self) -> str:
        """The one-time link that it printed, with which the first superuser is made."""
        found = re.search(r"https?://\S*/setup\S*", self.output)
        assert found, self.output
        return found[0]


def shared_environment(*, database: str, redis: str | None = None, **more: str) -> dict[str, str]:
    """What all replicas are given: one secret key, one database and, if named, one Redis server.

    Args:
        database: The URL of a PostgreSQL database.
        redis: The URL of a Redis server; the backends that use it are named in ``more``.
        more: Further variables, without ``BEDPLATE_`` before them.
    """
    shared = {
        "BEDPLATE_SECRET_KEY": SECRET_KEY,
        "BEDPLATE_DATABASE__BACKEND": "postgres",
        "BEDPLATE_DATABASE__URL": database,
        "BEDPLATE_AUTH__SIGN_UP": "open",
    }
    if redis is not None:
        shared["BEDPLATE_REDIS__URL"] = redis
    return shared | {f"BEDPLATE_{name}": value for name, value in more.items()}


@contextmanager
def replicas(folder: Path, count: int, environment: Mapping[str, str]) -> Iterator[list[Replica]]:
    """Run so many replicas, all ready, for the length of a block; those that still run are killed at its end."""
    with ExitStack() as stack:
        made = [Replica(folder / f"replica-{number}", environment) for number in range(count)]
        for replica in made:
            stack.callback(replica.kill)
            replica.begin()
        for replica in made:
            replica.wait_ready()
        yield made


def signed_in(url: str, name: str) -> dict[str, str]:
    """Sign a user up, if there is none of the name, and in; returns the headers of a request of theirs."""
    with httpx.Client(base_url=url, timeout=30) as client:
        client.post("/api/v1/users/", json={"username": name, "password": PASSWORD})
        tokens = client.post("/api/v1/login", data={"username": name, "password": PASSWORD})
        assert tokens.status_code == 200, tokens.text
        return {"Authorization": f"Bearer {tokens.json()['access_token']}"}
