"""What Redis and its client say when something is wrong, as errors that name the setting and the fix.

::

    UnavailableError
    └── RedisUnavailableError      the server does not answer, or cannot take writes
    ConfigurationError
    └── RedisSettingError          the URL cannot be used, or the server refuses what it says
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from redis import exceptions as client

from bedplate.services.engines.redis_url import RedisAddress
from bedplate.services.errors import BedplateError, ConfigurationError, UnavailableError
from bedplate.services.server_address import tls_problem

__all__ = ["RedisSettingError", "RedisUnavailableError", "typed_errors"]


class RedisUnavailableError(UnavailableError):
    """The Redis server does not answer, or cannot do what it is asked for at the moment; try again."""

    code = "redis_unavailable"


class RedisSettingError(ConfigurationError):
    """The Redis server refuses what the settings say."""

    code = "redis_setting"


_REFUSED: Final = (client.AuthenticationError, client.AuthorizationError, client.NoPermissionError)
_PASSING: Final = (client.BusyLoadingError, client.ReadOnlyError, client.MasterDownError, client.OutOfMemoryError)
_WORDS: Final = {
    client.BusyLoadingError: "it is loading its data",
    client.ReadOnlyError: "it is a replica and takes no writes",
    client.MasterDownError: "it has lost its primary",
    client.OutOfMemoryError: "its memory is full",
}


_BY_PREFIX: Final = {
    "MISCONF": "it cannot write its data to its disk",
    "NOREPLICAS": "it has too few replicas",
}
_OF_CLUSTERS: Final = (client.ClusterError, client.ClusterCrossSlotError, client.MovedError, client.TryAgainError)


@contextmanager
def typed_errors(address: RedisAddress) -> Iterator[None]:
    """Turn what the client raises inside the block into errors of Bedplate; none quotes a password or a value.

    A cancellation that the client has swallowed is raised at the end of the block: before Python 3.12,
    ``asyncio.wait_for``, by which it sends, drops one that comes at the moment at which it is done.

    Args:
        address: The server that the block talks to, and whose it is.

    Raises:
        RedisUnavailableError: It does not answer, not in time, or cannot take a write now.
        RedisSettingError: It refuses the user, the password, the database or the certificate.
        asyncio.CancelledError: The caller was cancelled inside the block.
    """
    task = _current_task()
    before = 0 if task is None else task.cancelling()
    try:
        yield
    except (client.RedisError, OSError, ssl.SSLError) as error:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError from error
        raise _typed(address, error) from error
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


def _current_task() -> "asyncio.Task[Any] | None":
    try:
        return asyncio.current_task()
    except RuntimeError:  # a block without a loop
        return None


def _typed(address: RedisAddress, error: Exception) -> BedplateError:
    if (tls := tls_problem(error, "the server")) is not None:
        return _setting(address, tls, f"set BEDPLATE_REDIS__CA_FILE, or write {address.setting} as the server wants it")
    if isinstance(error, _REFUSED):
        what = "the server refuses the user, the password, or a command of them"
        return _setting(address, what, f"write user and password into {address.setting} as the server knows them")
    if isinstance(error, _PASSING):
        reason = next(words for kind, words in _WORDS.items() if isinstance(error, kind))
        return _unavailable(address, f"the server cannot do it now: {reason}", error)
    if isinstance(error, _OF_CLUSTERS):
        fix = f"write into {address.setting} a server without cluster mode: one, or a primary with replicas"
        return _setting(address, "the server is a node of a Redis Cluster, in which keys are apart", fix)
    if isinstance(error, client.ResponseError):
        if (words := _BY_PREFIX.get(str(error).partition(" ")[0])) is not None:
            return _unavailable(address, f"the server cannot do it now: {words}", error)
        if "DB index" in str(error) or "invalid DB" in str(error):
            return _setting(address, "the server has no such database", f"end {address.setting} with /0")
        return _unavailable(address, "the server refuses a command", error)
    if isinstance(error, (client.TimeoutError, TimeoutError)):
        # A server without TLS waits for more of what it takes for a command.
        tls = ", or does not speak TLS" if address.url.startswith("rediss:") else ""
        return _unavailable(address, f"the server does not answer in time{tls}", error)
    return _unavailable(address, "the server cannot be reached", error)


def _setting(address: RedisAddress, what: str, fix: str) -> RedisSettingError:
    return RedisSettingError(what, service=address.service, why=address.origin, fix=fix)


def _unavailable(address: RedisAddress, what: str, error: Exception) -> RedisUnavailableError:
    return RedisUnavailableError(
        what,
        service=address.service,
        why=f"{type(error).__name__} at {address.masked}",
        fix=f"try again; if it lasts, look at the server, and at {address.setting}",
    )
