"""Server-sent events, cut anywhere."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedplate.services.shared_component_cache.components.sse import EventTooLargeError, events


async def read(chunks: list[bytes], max_bytes: int = 1_000) -> list[str]:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [text async for text in events(body(), max_bytes)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data:a\r\n\r\ndata: b\r\r", ["a", "b"]),
        (b": comment\nevent: x\nid: 1\ndata: a\n\n", ["a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data: a\n\n\n\n\ndata: b", ["a"]),
        (b"data: a\n", ["a"]),
        (b"\n\n", []),
        (b"", []),
    ],
)
async def test_events(body: bytes, expected: list[str]) -> None:
    """Data of events, by any line end; lines of one event are joined; a line without its end is none."""
    assert await read([body]) == expected


@given(st.lists(st.text(alphabet="aé€😀 ", min_size=1), max_size=5), st.sampled_from(["\n", "\r\n", "\r"]), st.data())
async def test_events_cut_anywhere(texts: list[str], end: str, data: st.DataObject) -> None:
    """However the body is cut, also within a character or a line end, the events are the same."""
    body = "".join(f"data: {text}{end}{end}" for text in texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    chunks = [body[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert await read(chunks) == texts


@pytest.mark.parametrize("body", [b"data: " + b"x" * 2_000, b"data: " + b"x" * 400 + b"\n", b"x" * 2_000])
async def test_an_event_over_the_limit(body: bytes) -> None:
    """An event, or a line, that is larger than allowed is refused, however it comes."""
    with pytest.raises(EventTooLargeError):
        await read([body] * 3)
    with pytest.raises(EventTooLargeError):
        await read([bytes([byte]) for byte in body * 3])
