"""The bounded queue to one client."""

import asyncio

import pytest

from bedplate.services.socket.outbox import Outbox


class Packet:
    """As much of a packet as an outbox looks at."""

    def __init__(self, data: str | bytes | None = "x") -> None:
        self.data = data


async def taken(outbox: Outbox) -> list[Packet]:
    """One batch, as the transport takes it."""
    batch = [await outbox.get()]
    while True:
        try:
            batch.append(outbox.get_nowait())
        except asyncio.QueueEmpty:
            return batch


async def test_what_rooms_tell_is_turned_away_when_it_is_full() -> None:
    """SOCK-2: by number and by bytes; answers have as much room again."""
    outbox = Outbox(max_packets=3, max_bytes=10_000)
    assert [outbox.offer(Packet()) for _ in range(4)] == [True, True, True, False]
    outbox.put_nowait(Packet())
    assert outbox.packets == 4
    by_bytes = Outbox(max_packets=100, max_bytes=1_000)
    assert by_bytes.offer(Packet("x" * 800))
    assert not by_bytes.offer(Packet("x" * 800))
    assert by_bytes.offer(Packet(None))


async def test_what_is_being_sent_counts_until_the_next_is_asked_for() -> None:
    """SOCK-2: the transport takes several at once, and may not get rid of them."""
    outbox = Outbox(max_packets=4, max_bytes=10_000)
    for _ in range(4):
        assert outbox.offer(Packet())
    assert len(await taken(outbox)) == 4
    assert outbox.empty()
    assert (outbox.packets, outbox.offer(Packet())) == (4, False)
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    assert (outbox.packets, outbox.bytes) == (0, 0)
    assert outbox.offer(Packet())
    await waiting


async def test_a_client_that_fills_the_room_for_answers_is_given_up_once() -> None:
    """SOCK-2: and costs no more than that."""
    outbox, given_up = Outbox(max_packets=2, max_bytes=10_000), 0

    def give_up() -> None:
        nonlocal given_up
        given_up += 1

    outbox.on_overflow = give_up
    for _ in range(10):
        outbox.put_nowait(Packet())
    assert (outbox.packets, outbox.qsize(), given_up) == (4, 4, 1)
    outbox.put_nowait(None)
    assert outbox.qsize() == 5


async def test_a_batch_is_no_longer_than_clients_read() -> None:
    """SOCK-1: clients in Python refuse an answer to a poll with more than sixteen packets."""
    outbox = Outbox(max_packets=100, max_bytes=100_000)
    for number in range(40):
        assert outbox.offer(Packet(str(number)))
    batches = [await taken(outbox) for _ in range(3)]
    assert [len(batch) for batch in batches] == [16, 16, 8]
    assert [packet.data for batch in batches for packet in batch] == [str(number) for number in range(40)]


async def test_what_waits_for_room_gets_it() -> None:
    """SOCK-2: readers of logs, in the order of their coming; and what is behind in its rooms is told at half."""
    outbox, drained = Outbox(max_packets=40, max_bytes=100_000), 0

    def count() -> None:
        nonlocal drained
        drained += 1

    outbox.on_drained = count
    for _ in range(40):
        assert outbox.offer(Packet())
    waiting = [asyncio.create_task(outbox.deliver(Packet(str(number)))) for number in range(3)]
    await taken(outbox)
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    waiting[0].cancel()
    await taken(outbox)
    await asyncio.wait(waiting)
    assert drained == 0
    assert [task.cancelled() for task in waiting] == [True, False, False]
    rest = [packet.data for _ in range(1) for packet in await taken(outbox)]
    assert rest[-2:] == ["1", "2"]
    assert drained == 1


async def test_what_is_larger_than_all_the_room_goes_alone() -> None:
    """SOCK-2: else it would wait for ever; and while it waits, nothing turns in circles."""
    outbox = Outbox(max_packets=40, max_bytes=1_000)
    assert outbox.offer(Packet("small"))
    large = asyncio.create_task(outbox.deliver(Packet("x" * 5_000)))
    await asyncio.sleep(0)
    assert not outbox.offer(Packet("x" * 5_000))
    await taken(outbox)
    assert not large.done()
    first = asyncio.create_task(taken(outbox))
    await large
    assert [packet.data for packet in await first] == ["x" * 5_000]


async def test_everything_can_be_dropped_and_waited_for() -> None:
    """SOCK-2: a client that is disconnected for reading too slowly learns why at once."""
    outbox = Outbox(max_packets=40, max_bytes=100_000)
    for _ in range(20):
        outbox.put_nowait(Packet())
    await taken(outbox)
    outbox.discard()
    assert (outbox.packets, outbox.qsize()) == (16, 0)
    outbox.put_nowait(Packet("bye"))
    emptied = asyncio.create_task(outbox.emptied())
    assert [packet.data for packet in await taken(outbox)] == ["bye"]
    await asyncio.sleep(0)
    assert not emptied.done()
    ended = asyncio.create_task(outbox.get())
    await emptied
    outbox.put_nowait(None)
    assert await ended is None


@pytest.mark.parametrize("data", ["text", b"bytes", None])
async def test_counts_are_right_whatever_a_packet_holds(data: str | bytes | None) -> None:
    outbox = Outbox(max_packets=10, max_bytes=100_000)
    outbox.put_nowait(Packet(data))
    await taken(outbox)
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    assert (outbox.packets, outbox.bytes) == (0, 0)
    waiting.cancel()
