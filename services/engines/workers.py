"""Bounded pools of threads for work that blocks: hashing, files, vendor SDKs."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from bedplate.services.base import Service

__all__ = ["Workers"]

P = ParamSpec("P")
T = TypeVar("T")


class Workers(Service):
    """Threads of our own, so that blocking work runs neither on the event loop nor in its default executor."""

    def __init__(self) -> None:
        self._pools: dict[str, ThreadPoolExecutor] = {}

    async def _stop(self) -> None:
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)
        self._pools.clear()

    async def run(self, pool: str, threads: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` in the named pool of at most ``threads`` threads and return what it returns."""
        self._require_started()
        executor = self._pools.get(pool)
        if executor is None:
            executor = self._pools[pool] = ThreadPoolExecutor(threads, thread_name_prefix=f"bedplate-{pool}")
        return await asyncio.get_running_loop().run_in_executor(executor, lambda: function(*args, **kwargs))
