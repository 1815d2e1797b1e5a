"""Bounded pools of threads for work that blocks: hashing, files, vendor SDKs."""

import asyncio
import contextlib
import contextvars
import functools
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from bedplate.services.base import Service
from bedplate.services.errors import ConfigurationError, RateLimitedError, UnavailableError

__all__ = ["WorkerPool", "Workers"]

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_QUEUE = 1024
_NICENESS = 5
"""Enough for the event loop to be served at once, too little to be starved by other processes."""


class _Job:
    """One call on its way through a pool."""

    __slots__ = ("call", "context", "future", "loop")

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.context = contextvars.copy_context()
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()


class WorkerPool:
    """At most ``threads`` calls at once, at most ``queue`` waiting; calls are begun in the order they came.

    Belongs to the event loop that it is first used on. Its threads are daemons: a call that never returns, as some
    SDK's may, delays neither :meth:`close` beyond its cancellation nor the end of the process.

    Args:
        name: What the pool is for; part of the names of its threads.
        threads: How many calls run at once.
        queue: How many calls may wait for a thread.
        yielding: Whether its threads give way to the event loop, and whatever else the machine has to do, where the
            system can tell threads apart (Linux): for work that keeps a processor busy.
    """

    def __init__(self, name: str, threads: int, queue: int, *, yielding: bool = False) -> None:
        self._yielding = yielding
        self.name = name
        self.threads = threads
        self.queue = queue
        self._waiting: deque[_Job] = deque()
        self._inbox: SimpleQueue[_Job | None] = SimpleQueue()
        self._crew: list[threading.Thread] = []
        self._busy = 0
        self._closed = False
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` on a thread, in a copy of the caller's context, and return what it returns.

        Cancelled while the call waits for a thread, it never runs; cancelled later, the caller goes on at once, while
        the thread finishes the call, keeps its place until then, and the result is dropped.

        Raises:
            RateLimitedError: As many calls are waiting as may wait.
            UnavailableError: The pool is closed.
        """
        if self._closed:
            raise self._unavailable()
        job = _Job(functools.partial(function, *args, **kwargs))
        if self._busy < self.threads:
            self._dispatch(job)
        elif len(self._waiting) < self.queue:
            self._waiting.append(job)
        else:
            raise RateLimitedError(
                f"too much work of one kind at once: {self.queue} calls of {self.name!r} are waiting already",
                service="workers",
                retry_after=1.0,
                fix="try again later; if it lasts, raise the limits of this pool",
            )
        try:
            result: T = await job.future
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):
                self._waiting.remove(job)
            raise
        return result

    async def close(self) -> None:
        """Refuse new calls, give up those that wait, and return when those that run are done.

        Cancelled, it leaves the running calls to themselves; their threads end with them.
        """
        self._closed = True
        while self._waiting:
            _settle(self._waiting.popleft().future, None, self._unavailable())
        try:
            await self._quiet.wait()
        finally:
            crew, self._crew = self._crew, []
            for _ in crew:
                self._inbox.put(None)
        for thread in crew:
            thread.join(1.0)

    def _dispatch(self, job: _Job) -> None:
        if self._busy == len(self._crew):
            name = f"bedplate-{self.name}-{len(self._crew)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            thread.start()
            self._crew.append(thread)
        self._busy += 1
        self._quiet.clear()
        self._inbox.put(job)

    def _work(self) -> None:
        """The life of a thread: calls from the inbox, until None."""
        if self._yielding:
            _give_way()
        while (job := self._inbox.get()) is not None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = job.context.run(job.call)
            except BaseException as caught:
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
                job.loop.call_soon_threadsafe(self._finish, job.future, result, error)
            # An idle thread must not keep the last call's arguments and result alive.
            del job, result, error

    def _finish(self, future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
        self._busy -= 1
        _settle(future, result, error)
        if self._waiting:
            self._dispatch(self._waiting.popleft())
        elif self._busy == 0:
            self._quiet.set()

    def _unavailable(self) -> UnavailableError:
        return UnavailableError(
            f"the pool {self.name!r} is closed", service="workers", fix="start the container before calling services"
        )


def _give_way() -> None:
    """Let the scheduler prefer other threads to this one."""
    if sys.platform == "linux":  # elsewhere the whole process would
        with contextlib.suppress(OSError):  # some sandboxes forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():  # cancelled
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration):
        # A future refuses it, since it would end the coroutine that awaits instead of failing it (PEP 479).
        future.set_exception(RuntimeError("the call raised StopIteration"))
    else:
        future.set_exception(error)


class Workers(Service):
    """Threads of our own, so that blocking work runs neither on the event loop nor in its default executor."""

    def __init__(self) -> None:
        self._pools: dict[str, WorkerPool] = {}

    async def _stop(self) -> None:
        pools = list(self._pools.values())
        self._pools.clear()
        await asyncio.gather(*(pool.close() for pool in pools))

    def pool(self, name: str, threads: int, queue: int | None = None, *, yielding: bool = False) -> WorkerPool:
        """The pool of that name, made at first use, until the next stop.

        Args:
            name: What the pool is for, such as ``"hashing"``.
            threads: How many calls run at once.
            queue: How many calls may wait; None: as many as declared before, or 1024.
            yielding: As in :class:`WorkerPool`; the first use of a pool decides.

        Raises:
            ConfigurationError: The pool exists with other numbers.
            UnavailableError: The engine is not started.
        """
        self._require_started()
        pool = self._pools.get(name)
        if pool is None:
            waiting = DEFAULT_QUEUE if queue is None else queue
            pool = self._pools[name] = WorkerPool(name, threads, waiting, yielding=yielding)
        elif pool.threads != threads or queue not in {None, pool.queue}:
            raise ConfigurationError(
                f"the pool {name!r} has {pool.threads} threads and a queue of {pool.queue}, not {threads} and {queue}",
                service="workers",
                fix="use one pair of numbers per pool, or another name",
            )
        return pool

    async def run(self, pool: str, threads: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` in the named pool of at most ``threads`` threads; see :meth:`WorkerPool.run`."""
        return await self.pool(pool, threads).run(function, *args, **kwargs)
