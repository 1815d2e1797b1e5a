"""Many variables in one read."""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bedplate.services.auth import User
from bedplate.services.variable import VariableService
from benchmarks.harness import Aim, Row, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_NAMES = [f"VARIABLE_{number}" for number in range(100)]
_READS = 100


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """A hundred credentials, as a flow that refers to them reads them."""
    with temporary_folder() as folder, run_in(runner, folder, "variable", "auth") as container:
        user = runner.run(container.auth().create_superuser("ada", "a password"))
        runner.run(_fill(container.variable(), user))
        with ThreadPoolExecutor(1) as thread:
            peer = _Peer(Path(folder) / "peer.db", thread)
            yield ratio(
                "100 variables in one read",
                lambda: _resolved(container.variable(), user),
                peer.read,
                against="one SQLite query in a thread, and AES-GCM with a kept key",
                unit="µs",
                aim=Aim("≤", 4.0),
                runner=runner,
            )
            peer.close()


async def _fill(variables: VariableService, user: User) -> None:
    for name in _NAMES:
        await variables.create(user.id, name, f"sk-{secrets.token_hex(24)}")


async def _resolved(variables: VariableService, user: User) -> float:
    """Microseconds a read."""
    begun = time.perf_counter()
    for _ in range(_READS):
        assert len(await variables.resolve_many(user.id, _NAMES)) == len(_NAMES)
    return (time.perf_counter() - begun) / _READS * 1e6


class _Peer:
    def __init__(self, file: Path, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._cipher = AESGCM(secrets.token_bytes(32))
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._connection.execute("CREATE TABLE v (owner TEXT, name TEXT, value BLOB, UNIQUE (owner, name))")
        self._connection.executemany("INSERT INTO v VALUES ('ada', ?, ?)", [(name, self._sealed()) for name in _NAMES])
        places = ", ".join("?" * len(_NAMES))
        self._query = f"SELECT name, value FROM v WHERE owner = 'ada' AND name IN ({places})"

    def _sealed(self) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + self._cipher.encrypt(nonce, f"sk-{secrets.token_hex(24)}".encode(), b"ada")

    async def read(self) -> float:
        """Microseconds a read."""
        loop = asyncio.get_running_loop()
        begun = time.perf_counter()
        for _ in range(_READS):
            found = await loop.run_in_executor(self._thread, self._fetch)
            opened = {name: self._cipher.decrypt(value[:12], value[12:], b"ada").decode() for name, value in found}
            assert len(opened) == len(_NAMES)
        return (time.perf_counter() - begun) / _READS * 1e6

    def _fetch(self) -> Sequence[tuple[str, bytes]]:
        return self._connection.execute(self._query, _NAMES).fetchall()

    def close(self) -> None:
        self._connection.close()
