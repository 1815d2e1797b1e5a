"""A real PgBouncer in transaction mode, where it is installed."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bedplate.wiring.testing.servers.postgres import free_port, unprivileged

__all__ = ["pgbouncer"]

_READY = 20.0


@contextmanager
def pgbouncer(folder: Path, url: str) -> Iterator[str]:
    """Run a pooler before a server for the length of a block; yields the URL through it.

    Where the program is not installed the test is skipped by name, in CI it fails: `.ci/run` installs it.
    """
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    if not Path(program).exists():
        message = "pgbouncer is not installed: apt-get install pgbouncer"
        pytest.fail(message) if "CI" in os.environ else pytest.skip(message)
    server, port = urlsplit(url), free_port()
    folder.chmod(0o755)
    (folder / "users.txt").write_text(f'"{server.username}" "{server.password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={server.hostname} port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {folder}/users.txt\n"
        "pool_mode = transaction\ndefault_pool_size = 3\nserver_reset_query =\n"
    )
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([*unprivileged(), program, str(folder / "pgbouncer.ini")], stdout=log, stderr=log)
    try:
        _wait(process, port, folder / "pgbouncer.log")
        yield f"postgresql://{server.username}:{server.password}@127.0.0.1:{port}{server.path}"
    finally:
        process.terminate()
        process.wait(_READY)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + _READY
    while True:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        else:
            return
