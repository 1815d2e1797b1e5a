"""Tokens against PyJWT with the same checks and a kept key object, and what logins do to the event loop."""

import asyncio
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt

from bedplate.services.auth import AuthService
from bedplate.services.auth.key_ring import KeyRing
from bedplate.services.auth.tokens import Tokens, TokenType
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from benchmarks.harness import Aim, Row, absolute, ratio
from benchmarks.services import run_in, temporary_folder

__all__ = ["rows"]

_TOKENS = 400
_LOGINS = 20
_TICK = 0.001


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """Signing and verifying with each algorithm, and the stall of twenty logins at once."""
    for algorithm, aim in (("HS256", 1.1), ("RS256", 1.15), ("EdDSA", 1.15)):
        with tempfile.TemporaryDirectory() as folder:
            yield from _of_algorithm(runner, Path(folder), algorithm, Aim("≤", aim))
    with temporary_folder() as folder, run_in(runner, folder, "auth") as container:
        auth = container.auth()
        runner.run(auth.create_superuser("ada", "a password"))
        yield absolute(
            "longest stall of the event loop in 20 logins at once",
            lambda: _stall(auth),
            unit="ms",
            aim=Aim("≤", 15.0),
            runner=runner,
        )


def _of_algorithm(runner: asyncio.Runner, folder: Path, algorithm: str, aim: Aim) -> Iterator[Row]:
    settings = SettingsService(data_dir=folder, auth={"algorithm": algorithm})
    keyring, workers = Keyring(settings), Workers()
    ring = KeyRing(settings.values.auth, keyring, workers, folder)
    for part in (keyring, workers, ring):
        runner.run(part.start())
    tokens, peer = Tokens(settings.values.auth, ring, workers), _Peer(ring, algorithm)
    ids = {"user_id": uuid.uuid4(), "session_id": uuid.uuid4(), "token_id": "kDnvXc1kQ0m9cJm2vYQm4A"}
    token = tokens.issue(TokenType.ACCESS, **ids)
    yield ratio(
        f"JWT {algorithm} sign",
        lambda: _timed(lambda: tokens.issue(TokenType.ACCESS, **ids)),
        lambda: _timed(lambda: peer.sign(**ids)),
        against="PyJWT with a kept key object and the same claims",
        unit="µs",
        aim=aim,
        runner=runner,
    )
    yield ratio(
        f"JWT {algorithm} verify",
        lambda: _timed(lambda: tokens.read(token, TokenType.ACCESS)),
        lambda: _timed(lambda: peer.verify(token)),
        against="PyJWT with a kept key object and the same checks",
        unit="µs",
        aim=aim,
        runner=runner,
    )
    for part in (ring, workers, keyring):
        runner.run(part.stop())


class _Peer:
    """What an application writes around PyJWT to issue and check the same tokens."""

    def __init__(self, ring: KeyRing, algorithm: str) -> None:
        self._key = ring.current
        self._algorithm = algorithm
        self._headers = {"kid": ring.current.id}

    def sign(self, *, user_id: uuid.UUID, session_id: uuid.UUID, token_id: str) -> str:
        now = int(time.time())
        claims = {
            "iss": "bedplate",
            "aud": "bedplate",
            "sub": str(user_id),
            "exp": now + 3600,
            "nbf": now,
            "iat": now,
            "jti": token_id,
            "typ": "access",
            "sid": str(session_id),
        }
        return jwt.encode(claims, self._key.signs, algorithm=self._algorithm, headers=self._headers)

    def verify(self, token: str) -> tuple[uuid.UUID, uuid.UUID]:
        claims: dict[str, Any] = jwt.decode(
            token,
            self._key.verifies,
            algorithms=[self._algorithm],
            audience="bedplate",
            issuer="bedplate",
            leeway=5,
            options={"require": ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "typ", "sid"]},
        )
        assert claims["typ"] == "access"
        return uuid.UUID(claims["sub"]), uuid.UUID(claims["sid"])


def _timed(call: Callable[[], object]) -> float:
    """Microseconds a call."""
    begun = time.perf_counter()
    for _ in range(_TOKENS):
        call()
    return (time.perf_counter() - begun) / _TOKENS * 1e6


async def _stall(auth: AuthService) -> float:
    """Milliseconds by which the loop came late at worst, while twenty callers log in at once."""
    logins = asyncio.gather(*(auth.login("ada", "a password") for _ in range(_LOGINS)))
    worst, due = 0.0, time.perf_counter() + _TICK
    while not logins.done():
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        now = time.perf_counter()
        worst, due = max(worst, now - due), now + _TICK
    await logins
    return worst * 1e3
