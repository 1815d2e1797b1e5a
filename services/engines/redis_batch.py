"""Commands of tasks that wait at the same time, sent to Redis together.

Of what a command costs, most is paid once for each time that something is sent: fifty reads in one ``MGET`` take hardly
longer than one. So a command that is alone is sent at once, and those that come while others are under way wait for a
moment, and go together. No order is kept between commands that wait at the same time.

What is sent alone, and every read, goes over connections that are kept for it: to take one from the pool and to give it
back costs as much as the command.
"""

import asyncio
import hashlib
import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, ResponseError

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisBatch", "Script"]

LANES = 3
"""Batches that are under way at the same time, so that a large answer does not hold up everybody."""

_IDLE = 0.25
"""Seconds after which a connection is looked at before it is used, as the server may have closed it."""

MOST = 500
"""Commands of one batch."""


class Script:
    """A script in Lua, which runs at the server as one step.

    Args:
        text: Its source.
    """

    __slots__ = ("sha", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class _Lane:
    """One connection, and when it was used last."""

    __slots__ = ("client", "used")

    def __init__(self, client: Any, used: float) -> None:
        self.client = client
        self.used = used


class _Waiting:
    """A command, or a read of some keys, that waits for its batch."""

    __slots__ = ("command", "future", "keys")

    def __init__(self, keys: Sequence[str], command: tuple[Any, ...]) -> None:
        self.keys = keys
        self.command = command
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def land(self, answer: Any) -> None:
        if self.future.done():
            return
        if isinstance(answer, BaseException):
            self.future.set_exception(answer)
        else:
            self.future.set_result(answer)


class RedisBatch:
    """Sends commands over the pool of a client, batched when there are many.

    A caller who is cancelled takes nothing from the others of its batch. What the client raises, each caller gets; a
    batch whose answer never came has happened wholly, in part or not at all.

    Args:
        client: The client for short commands.
    """

    def __init__(self, client: "Redis") -> None:
        self._client: Any = client  # its execute_command has no annotations
        self._lanes: list[_Lane] = []  # those that are free
        self._under_way = 0
        self._waiting: list[_Waiting] = []
        self._scheduled = self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, keys: Sequence[str]) -> "list[bytes | None]":
        """The values of the keys, at one moment; None for each that is not there."""
        if self._under_way or self._waiting:
            found: list[bytes | None] = await self._together(_Waiting(keys, ()))
            return found
        self._under_way += 1
        try:
            values: list[bytes | None] = await self._alone("MGET", *keys)
            return values
        finally:
            self._landed()

    async def run(self, script: Script, keys: Sequence[str], *args: str | bytes | float) -> Any:
        """What a script answers; it is sent once, and known to the server from then on."""
        try:
            return await self.execute("EVALSHA", script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self.execute("EVAL", script.text, len(keys), *keys, *args)

    async def execute(self, *command: str | bytes | float) -> Any:
        """What a command answers."""
        if self._under_way or self._waiting:
            return await self._together(_Waiting((), command))
        self._under_way += 1
        try:
            return await self._alone(*command)
        finally:
            self._landed()

    async def close(self) -> None:
        """Give up what is under way; those who wait for it are cancelled."""
        self._closed = True
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.future.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        while self._lanes:
            await self._lanes.pop().client.aclose()

    async def _alone(self, *command: Any) -> Any:
        """What one command answers."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        lane = self._lanes.pop() if self._lanes else await self._open(loop.time())
        try:
            if loop.time() - lane.used > _IDLE:
                await self._client.connection_pool.ensure_connection(lane.client.connection)
            answer = await lane.client.execute_command(*command)
            if task is not None and task.cancelling() > before:
                raise asyncio.CancelledError  # which asyncio.wait_for, by which the client sends, may swallow
            return answer
        except ResponseError:
            raise
        except BaseException:
            # The answer may be on its way, and would be taken for that to the next command.
            await lane.client.connection.disconnect(nowait=True)
            for one in self._lanes:
                one.used = -math.inf  # if it was the server, they are as dead
            raise
        finally:
            lane.used = loop.time()
            if self._closed:
                await lane.client.aclose()
            else:
                self._lanes.append(lane)

    async def _open(self, now: float) -> _Lane:
        client = self._client.client()
        await client.initialize()
        return _Lane(client, now)

    async def _together(self, one: _Waiting) -> Any:
        self._waiting.append(one)
        self._schedule()
        return await one.future

    def _schedule(self) -> None:
        """Send what waits, after whoever is ready to run has had the time to join."""
        if self._scheduled or not self._waiting or self._under_way >= LANES:
            return
        self._scheduled = True
        asyncio.get_running_loop().call_soon(self._launch)

    def _launch(self) -> None:
        self._scheduled = False
        self._waiting = [one for one in self._waiting if not one.future.done()]
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        if not batch:
            return
        self._under_way += 1
        task = asyncio.get_running_loop().create_task(self._send(batch))
        self._tasks.add(task)
        task.add_done_callback(partial(self._sent, batch))
        self._schedule()

    def _sent(self, batch: list[_Waiting], task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if task.cancelled():  # perhaps before it has begun
            for one in batch:
                one.future.cancel()
        self._landed()

    def _landed(self) -> None:
        self._under_way -= 1
        self._schedule()

    async def _send(self, batch: list[_Waiting]) -> None:
        try:
            reads = [one for one in batch if one.keys]
            commands = [one for one in batch if not one.keys]
            positions: dict[str, int] = {}
            for one in reads:
                for key in one.keys:
                    positions.setdefault(key, len(positions))
            answers = await self._answers(list(positions), commands)
            if reads:
                values = answers.pop(0)
                failed = isinstance(values, BaseException)
                for one in reads:
                    one.land(values if failed else [values[positions[key]] for key in one.keys])
            for one, answer in zip(commands, answers, strict=True):
                one.land(answer)
        except Exception as error:
            for one in batch:
                one.land(error)

    async def _answers(self, keys: list[str], commands: list[_Waiting]) -> list[Any]:
        """The answers to a read of the keys, if there are any, and to the commands."""
        if not commands:
            return [await self._alone("MGET", *keys)]
        if not keys and len(commands) == 1:
            return [await self._alone(*commands[0].command)]
        async with self._client.pipeline(transaction=False) as pipeline:
            if keys:
                pipeline.execute_command("MGET", *keys)
            for one in commands:
                pipeline.execute_command(*one.command)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
            return answers
