"""What is kept in Redis: for each job its log and up to where it was polled, for each process what it is told to do."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from bedplate.services.engines.redis import RedisEngine
from bedplate.services.job_queue.models import JobEvent
from bedplate.services.job_queue.segments import unpack_events
from bedplate.services.schema import ServiceType

__all__ = ["Addition", "Entry", "Streams", "Top"]

_SERVICE: Final = ServiceType.JOB_QUEUE
_EVENTS: Final = b"e"
_MAX_COMMANDS: Final = 1_000
_COMMANDS_TTL: Final = 3600
_CURSOR_TTL: Final = 24 * 3600

# Appends only to what the caller knows the stream to end with, and answers what it then ends with: an addition that is
# sent twice, after the server has lost some, or by a process that was taken for dead, changes nothing.
_APPEND: Final = """
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local top = last[1] and last[1][1] or '0-0'
if top ~= ARGV[1] then return top end
redis.call('XADD', KEYS[1], ARGV[2], 'e', ARGV[3])
if ARGV[4] ~= '' then redis.call('EXPIRE', KEYS[1], ARGV[4]) end
if ARGV[5] ~= '' then redis.call('XTRIM', KEYS[1], 'MINID', ARGV[5]) end
return ARGV[2]
"""

# Ends a stream for its writer, whose ids are smaller than the fence, and leaves it to whoever adds the last event.
_FENCE: Final = """
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local top = last[1] and last[1][1] or '0-0'
if string.sub(top, -2) == '-1' or tonumber(string.match(top, '^%d+')) > tonumber(ARGV[1]) then return top end
redis.call('XADD', KEYS[1], ARGV[1] .. '-1', 'f', '')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return ARGV[1] .. '-1'
"""

# Moves the place up to which a job was polled forward, and answers where it was.
_ADVANCE: Final = """
local was = tonumber(redis.call('GET', KEYS[1]) or '0')
if was < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
return was
"""

_PUT_BACK: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return 0
"""


class Addition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A run of events for the stream of a job.

    Attributes:
        job_id: The job.
        expected: Id of the entry that the stream must end with; ``0-0``: it must be empty.
        last: Id of the last event of the run.
        packed: The events.
        ttl: Seconds after which the stream expires; None: as before.
        trim: Remove what ends before this event; 0: nothing.
    """

    job_id: uuid.UUID
    expected: str
    last: int
    packed: bytes
    ttl: int | None = None
    trim: int = 0


class Top(msgspec.Struct, frozen=True, gc=False):
    """What a stream ends with.

    Attributes:
        event_id: The last event; 0 when there is none.
        fenced: Whether it has been ended for its writer.
    """

    event_id: int
    fenced: bool

    @classmethod
    def of(cls, entry_id: bytes) -> "Top":
        """Read the id of an entry."""
        event_id, _, part = entry_id.partition(b"-")
        return cls(int(event_id), part != b"0")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An entry of a stream that is followed.

    Attributes:
        key: The stream.
        entry_id: Its id there.
        fields: What it holds.
    """

    key: bytes
    entry_id: bytes
    fields: Mapping[bytes, bytes]

    @property
    def events(self) -> list[JobEvent]:
        """The events in it; none in a fence."""
        packed = self.fields.get(_EVENTS)
        return [] if packed is None else unpack_events(packed)


class Streams:
    """The keys of jobs in Redis, and the commands on them. Every method raises the typed errors of the engine.

    Args:
        redis: The clients of Redis.
    """

    def __init__(self, redis: RedisEngine) -> None:
        self._redis = redis
        self._prefix = f"{redis.key_prefix}job:"

    def log(self, job_id: uuid.UUID) -> bytes:
        """The key of the log of a job."""
        return f"{self._prefix}{job_id}:log".encode()

    def commands(self, instance_id: uuid.UUID) -> bytes:
        """The key of the stream in which a process is told what to do."""
        return f"{self._prefix}instance:{instance_id}".encode()

    async def ping(self) -> None:
        """See whether the server answers."""
        await self._redis.ping(_SERVICE)

    async def append(self, additions: Sequence[Addition]) -> list[Top | None]:
        """Add runs of events, all in one round trip.

        Returns:
            What each stream then ends with; None for one that the server refuses while it takes others.

        Raises:
            RedisUnavailableError: None could be added.
        """
        if not additions:
            return []
        with self._redis.typed_errors(_SERVICE):
            pipeline = self._client.pipeline(transaction=False)
            for one in additions:
                ttl, trim = "" if one.ttl is None else str(one.ttl), f"{one.trim}-0" if one.trim else ""
                pipeline.eval(_APPEND, 1, self.log(one.job_id), one.expected, f"{one.last}-0", one.packed, ttl, trim)
            answers = await pipeline.execute(raise_on_error=False)
            if all(isinstance(answer, Exception) for answer in answers):
                raise answers[0]
        return [None if isinstance(answer, Exception) else Top.of(answer) for answer in answers]

    async def read(self, job_id: uuid.UUID, after: int, count: int) -> list[JobEvent]:
        """The events of at most ``count`` runs with ids greater than ``after``; fewer only at the end."""
        with self._redis.typed_errors(_SERVICE):
            entries = await self._client.xrange(self.log(job_id), f"{after + 1}-0", "+", count=count)
        runs = (unpack_events(fields[_EVENTS]) for _, fields in entries if _EVENTS in fields)
        return [event for run in runs for event in run if event.id > after]

    async def top(self, job_id: uuid.UUID) -> Top:
        """What the stream of a job ends with."""
        with self._redis.typed_errors(_SERVICE):
            last = await self._client.xrevrange(self.log(job_id), count=1)
        return Top.of(last[0][0]) if last else Top(0, False)

    async def fence(self, job_id: uuid.UUID, reserved: int, ttl: int) -> None:
        """Let the process that writes the stream, with ids up to ``reserved``, write nothing more."""
        with self._redis.typed_errors(_SERVICE):
            await self._client.eval(_FENCE, 1, self.log(job_id), str(reserved), str(ttl))

    async def tell(self, instance_id: uuid.UUID, command: str, job_id: uuid.UUID | None = None) -> None:
        """Tell a process to do something; it does it when it can, if it lives."""
        key = self.commands(instance_id)
        fields: dict[Any, Any] = {"c": command, "j": "" if job_id is None else str(job_id)}
        with self._redis.typed_errors(_SERVICE):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.xadd(key, fields, maxlen=_MAX_COMMANDS, approximate=True)
            pipeline.expire(key, _COMMANDS_TTL)
            await pipeline.execute()

    async def follow(self, positions: Mapping[bytes, bytes], count: int, seconds: float) -> list[Entry]:
        """At most ``count`` entries of each stream after a position in it; waits for the first for some seconds."""
        with self._redis.typed_errors(_SERVICE):
            client: Any = self._redis.blocking_client(_SERVICE)
            answer = await client.xread(positions, count=count, block=max(1, int(seconds * 1e3)))
        return [Entry(key, entry_id, fields) for key, entries in answer for entry_id, fields in entries]

    async def forget(self, *keys: bytes) -> None:
        """Remove keys."""
        with self._redis.typed_errors(_SERVICE):
            await self._client.unlink(*keys)

    def cursor(self, job_id: uuid.UUID) -> bytes:
        """The key of the place up to which a job was polled."""
        return f"{self._prefix}{job_id}:polled".encode()

    async def polled(self, job_id: uuid.UUID) -> int:
        """Up to which event a job was polled."""
        with self._redis.typed_errors(_SERVICE):
            return int(await self._client.get(self.cursor(job_id)) or 0)

    async def advance(self, job_id: uuid.UUID, event_id: int) -> int:
        """Note that a job was polled up to an event, if it was not further; returns up to where it was before."""
        with self._redis.typed_errors(_SERVICE):
            return int(await self._client.eval(_ADVANCE, 1, self.cursor(job_id), str(event_id), str(_CURSOR_TTL)))

    async def put_back(self, job_id: uuid.UUID, event_id: int, before: int) -> None:
        """Undo :meth:`advance`, unless others have gone on since."""
        arguments = (str(event_id), str(before), str(_CURSOR_TTL))
        with self._redis.typed_errors(_SERVICE):
            await self._client.eval(_PUT_BACK, 1, self.cursor(job_id), *arguments)

    async def place(self, job_id: uuid.UUID, event_id: int) -> None:
        """Say up to which event a job was polled."""
        with self._redis.typed_errors(_SERVICE):
            await self._client.set(self.cursor(job_id), str(event_id), ex=_CURSOR_TTL)

    @property
    def _client(self) -> Any:  # whose annotations leave open whether answers are bytes, which they always are here
        return self._redis.client(_SERVICE)
