"""Names that are unique among a user's flows or projects."""

import asyncio
import functools
import random
import re
from collections.abc import Awaitable, Callable, Collection
from typing import Final, ParamSpec, TypeVar

from bedplate.services.database.errors import UniqueViolationError
from bedplate.services.database.violations import violations

__all__ = ["again_when_taken", "next_endpoint", "next_name"]

P = ParamSpec("P")
T = TypeVar("T")

_ATTEMPTS: Final = 50
_LONGEST_WAIT: Final = 0.1


def again_when_taken(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Do again what looks for a free name and takes it, where another process took it in between.

    Args:
        method: All of it, in a transaction of its own or a part of the caller's.
    """

    @functools.wraps(method)
    async def again(*args: P.args, **options: P.kwargs) -> T:
        for attempt in range(1, _ATTEMPTS):
            try:
                with violations():
                    return await method(*args, **options)
            except UniqueViolationError:
                longest = min(_LONGEST_WAIT, 0.002 * 2**attempt)
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - spreads those who meet, hides nothing
        return await method(*args, **options)

    return again


def next_name(name: str, taken: Collection[str]) -> str:
    """``name`` if it is free, else ``"name (n)"`` with the number after the highest that is taken."""
    return _next(name, taken, " ({})")


def next_endpoint(name: str, taken: Collection[str]) -> str:
    """``name`` if it is free, else ``"name-n"`` with the number after the highest that is taken."""
    return _next(name, taken, "-{}")


def _next(name: str, taken: Collection[str], suffix: str) -> str:
    if name not in taken:
        return name
    pattern = re.compile(re.escape(name) + re.escape(suffix).replace(r"\{\}", r"(\d{1,9})"))
    numbers = [int(match[1]) for match in map(pattern.fullmatch, taken) if match]
    return name + suffix.format(max(numbers, default=0) + 1)
