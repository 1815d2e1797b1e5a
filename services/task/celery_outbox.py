"""Messages on their way to the broker: a thread of its own sends them, again and again while the broker is away."""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.settings.groups.task import TaskSettings
from bedplate.services.task.backend import Due
from bedplate.services.task.celery_app import MESSAGE, level_of, make_app
from bedplate.services.task.celery_broker import BrokerAddress, queue_of

__all__ = ["Line", "Outbox"]

_MOST: Final = 10_000
_PAUSE_FIRST: Final = 0.1
_PAUSE_LAST: Final = 2.0

_log = get_logger("bedplate.task")


class Line:
    """A connection to the broker, made when it is needed, and anew after a failure; for one thread.

    Args:
        values: The settings of tasks.
        address: The broker.
    """

    def __init__(self, values: TaskSettings, address: BrokerAddress) -> None:
        self._values = values
        self._address = address
        self._app = make_app(values, address)
        self._connection: Any = None
        self._producer: Any = None

    def send(self, due: Due) -> None:
        """Hand the broker the id of a run; it has it when this returns."""
        self._connect()
        run_id = str(due.id)
        self._app.send_task(
            MESSAGE,
            (run_id,),
            task_id=run_id,
            queue=queue_of(self._values, due.name),
            priority=level_of(due.priority, self._address),
            headers=_trace(due),
            producer=self._producer,
            confirm_timeout=None if self._address.is_redis else self._address.timeout,
            retry=False,
            ignore_result=True,
        )

    def depth(self, queue: str) -> int:
        """How many messages wait in a queue."""
        self._connect()
        with self._connection.channel() as channel:
            try:
                # On Redis, where an empty queue is none, this makes none either; the library forgets the prefix of keys
                # when it looks whether there is one.
                return int(channel.queue_declare(queue=queue, passive=not self._address.is_redis).message_count)
            except self._connection.channel_errors:  # there is no such queue
                return 0

    def ping(self) -> None:
        """Have the broker answer, over a connection of its own."""
        with self._app.connection_for_write() as connection:
            _connect(connection)
            connection.default_channel  # noqa: B018 - the library asks something when it makes one

    def close(self) -> None:
        """Give the connection back; the next call makes a new one."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):  # it is broken, which is why it is closed
                connection.close()

    def _connect(self) -> None:
        if self._producer is None:
            self._connection = self._app.connection_for_write()
            _connect(self._connection)
            self._producer = self._app.amqp.Producer(self._connection, auto_declare=False)


def _trace(due: Due) -> dict[str, str]:
    """The headers of W3C Trace Context, for those who watch messages."""
    found = {"traceparent": due.traceparent, "tracestate": due.tracestate}
    return {name: value for name, value in found.items() if value}


def _connect(connection: Any) -> None:
    """Connect, at the second try if need be, at once: the outbox has pauses of its own."""
    connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)


class Outbox:
    """Sends what it is given, in order, from a thread of its own; bounded: what finds no place is announced later.

    Args:
        line: The connection.
        address: The broker, for messages.
    """

    def __init__(self, line: Line, address: BrokerAddress) -> None:
        self._line = line
        self._address = address
        self._due: deque[Due] = deque()
        self._questions: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._closing: float | None = None
        self._closed = False
        self._trouble: BedplateError | None = None
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, name="bedplate-task-outbox", daemon=True)

    @property
    def trouble(self) -> BedplateError | None:
        """Why nothing can be sent at the moment; None: it can."""
        return self._trouble

    def __len__(self) -> int:
        return len(self._due)

    def open(self) -> None:
        """Begin to send."""
        self._thread.start()

    def put(self, due: Due) -> None:
        """Send the id of a run, soon."""
        with self._changed:
            if len(self._due) < _MOST:
                self._due.append(due)
                self._changed.notify()

    async def ask(self, question: Callable[[Line], Any]) -> Any:
        """Have something done with the connection, ahead of what waits to be sent; its answer.

        Raises:
            BedplateError: The broker does not answer, or refuses.
        """
        answer: asyncio.Future[Any] = self._loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if not answer.done():
                answer.set_result(result) if error is None else answer.set_exception(error)

        def put_question() -> None:
            result, error = None, None
            try:
                result = question(self._line)
            except Exception as caught:
                self._line.close()
                error = self._address.error(caught)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
                self._loop.call_soon_threadsafe(settle, result, error)

        with self._changed:
            if self._closed:
                raise self._address.error(ConnectionError("closed"))
            self._questions.append(put_question)
            self._changed.notify()
        return await answer

    async def close(self, patience: float, grace: float = 0.0) -> None:
        """Send what waits, for so many seconds while the broker answers, and end.

        Args:
            patience: See above.
            grace: Seconds after which it is left alone, in case that the broker holds it in the middle of something.
        """
        with self._changed:
            self._closing = time.monotonic() + patience
            self._changed.notify()
        await asyncio.wait({self._ended}, timeout=patience + grace)

    # The thread

    def _work(self) -> None:
        pause = _PAUSE_FIRST
        try:
            while (work := self._next()) is not None:
                if work():
                    pause = _PAUSE_FIRST
                    continue
                self._rest(pause)
                pause = min(2 * pause, _PAUSE_LAST)
        finally:
            self._line.close()
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _next(self) -> Callable[[], bool] | None:
        """What to do next; None: end."""
        with self._changed:
            self._changed.wait_for(lambda: self._questions or self._due or self._closing is not None)
            if self._questions:
                question = self._questions.popleft()
                return lambda: question() is None
            late = self._closing is not None and (self._trouble is not None or time.monotonic() >= self._closing)
            self._closed = late or not self._due
            return None if self._closed else self._send

    def _send(self) -> bool:
        try:
            self._line.send(self._due[0])
        except Exception as error:
            self._line.close()
            if self._trouble is None:
                _log.warning("tasks cannot be announced", broker=self._address.masked, error=type(error).__name__)
            self._trouble = self._address.error(error)
            return False
        if self._trouble is not None:
            self._trouble = None
            _log.info("tasks can be announced again", broker=self._address.masked)
        with self._changed:
            self._due.popleft()
        return True

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._questions or self._closing is not None, seconds)
