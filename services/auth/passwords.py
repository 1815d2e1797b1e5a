"""Hashing and verifying passwords, off the event loop."""

import base64
import secrets
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from bedplate.services.auth.errors import InvalidPasswordError
from bedplate.services.engines.workers import Workers
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.auth import AuthSettings

__all__ = ["Passwords"]

P = ParamSpec("P")
T = TypeVar("T")

HASH_BYTES = 32
SALT_BYTES = 16
BCRYPT_LIMIT = 72
"""Bytes of a password that bcrypt looks at; hashes of longer ones were made of the first 72."""

_log = get_logger("bedplate.auth")


class Passwords:
    """Argon2id (RFC 9106) with the parameters of the settings; bcrypt hashes of imported users verify as well.

    Hashing takes tens of milliseconds and megabytes on purpose, so it runs in a bounded pool of threads. Verifying
    against None (there is no such user) costs what verifying a wrong password does: the same parameters, run on a
    hash that no password has. A bcrypt hash costs its own price until its user logs in and it is replaced.

    Args:
        settings: Parameters, limits and the size of the pool.
        workers: Runs the pool.
    """

    def __init__(self, settings: AuthSettings, workers: Workers) -> None:
        self._settings = settings
        self._workers = workers
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
            hash_len=HASH_BYTES,
            salt_len=SALT_BYTES,
            type=Type.ID,
        )
        self._nobodys = self.unmatchable()

    def check(self, password: str) -> None:
        """Raise unless the password may be chosen.

        Raises:
            InvalidPasswordError: It is empty, shorter than the setting demands, or too long.
        """
        least, most = self._settings.password_min_length, self._settings.password_max_bytes
        if not password:
            raise InvalidPasswordError("The password must not be empty")
        if len(password) < least:
            raise InvalidPasswordError(f"The password must have at least {least} characters")
        if self._too_long(password):
            raise InvalidPasswordError(f"The password must not be longer than {most} bytes")

    async def hash(self, password: str) -> str:
        """The encoded hash, with its parameters and a new salt.

        Raises:
            RateLimitedError: Too many are waiting to be hashed.
        """
        return await self._run(self._hasher.hash, password.encode("utf-8", "surrogatepass"))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Whether the password has this hash; False, at the same cost, for no hash at all.

        Raises:
            RateLimitedError: Too many are waiting to be hashed.
        """
        if self._too_long(password):
            return False
        return await self._run(self._verify, encoded, password.encode("utf-8", "surrogatepass"))

    def outdated(self, encoded: str) -> bool:
        """Whether a hash was made by bcrypt, or with other parameters than the present ones."""
        return _is_bcrypt(encoded) or self._hasher.check_needs_rehash(encoded)

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        settings = self._settings
        pool = self._workers.pool("hashing", settings.hashing_threads, settings.hashing_queue, yielding=True)
        return await pool.run(function, *args, **kwargs)

    def _verify(self, encoded: str | None, password: bytes) -> bool:
        if encoded is not None and _is_bcrypt(encoded):
            return _bcrypt_verify(encoded, password)
        try:
            return self._hasher.verify(encoded or self._nobodys, password)
        except InvalidHashError:
            _log.error("a stored password hash is of no known kind; its user cannot log in")
            return self._verify(None, password)
        except VerificationError:
            return False

    def _too_long(self, password: str) -> bool:
        most = self._settings.password_max_bytes
        return len(password) > most or len(password.encode("utf-8", "surrogatepass")) > most

    def unmatchable(self) -> str:
        """An encoded hash with the present parameters and a digest that is random, so that nothing hashes to it."""
        settings = self._settings
        parameters = f"m={settings.argon2_memory_kib},t={settings.argon2_time_cost},p={settings.argon2_parallelism}"
        salt, digest = (
            base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (SALT_BYTES, HASH_BYTES)
        )
        return f"$argon2id$v=19${parameters}${salt}${digest}"


def _is_bcrypt(encoded: str) -> bool:
    return encoded.startswith(("$2a$", "$2b$", "$2y$"))


def _bcrypt_verify(encoded: str, password: bytes) -> bool:
    import bcrypt  # here, since few installations have any such hash

    try:
        return bcrypt.checkpw(password[:BCRYPT_LIMIT], encoded.encode())
    except ValueError:
        _log.error("a stored bcrypt hash is damaged; its user cannot log in")
        return False
