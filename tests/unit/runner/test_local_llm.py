"""The local language model endpoint that tests and the demonstration use."""

import httpx
import orjson
import pytest

from bedplate.wiring.testing.llm import Fault, LocalLLM
from bedplate.wiring.testing.signals import Signal

BODY = {"model": "m", "messages": [{"role": "system", "content": "x y"}, {"role": "user", "content": "hello there"}]}


async def ask(llm: LocalLLM, body: object = BODY, key: str | None = None) -> httpx.Response:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key or llm.key}"}) as http:
        return await http.post(f"{llm.base_url}/chat/completions", json=body)


async def test_it_answers_as_a_whole_or_in_pieces(llm: LocalLLM) -> None:
    """The same messages get the same answer, whole or streamed, and the same usage."""
    whole = (await ask(llm)).json()
    assert whole["choices"][0]["message"]["content"] == "You said: hello there"
    response = await ask(llm, {**BODY, "stream": True, "stream_options": {"include_usage": True}})
    *pieces, done = [line[6:] for line in response.text.splitlines() if line]
    chunks = [orjson.loads(piece) for piece in pieces]
    text = "".join(choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"])
    assert (text, done) == ("You said: hello there", "[DONE]")
    assert chunks[-1]["usage"] == whole["usage"] == {"prompt_tokens": 4, "completion_tokens": 4, "total_tokens": 8}
    assert [request.said_by("user") for request in llm.requests] == ["hello there", "hello there"]


async def test_it_knows_one_key(llm: LocalLLM) -> None:
    """Another key is refused and recorded as such, whatever else was to happen."""
    llm.script(Fault(status=500))
    assert (await ask(llm, key="another")).status_code == 401
    assert (await ask(llm)).status_code == 200
    assert [request.authorized for request in llm.requests] == [False, True]


async def test_faults_come_in_order_and_once(llm: LocalLLM) -> None:
    """Each fault is for one request; a reset takes the rest away."""
    llm.script(Fault(status=429, retry_after="3"), Fault(status=503), Fault(status=500))
    first = await ask(llm)
    assert (first.status_code, first.headers["Retry-After"]) == (429, "3")
    assert (await ask(llm)).status_code == 503
    llm.reset()
    assert (await ask(llm)).status_code == 200
    assert len(llm.requests) == 1


async def test_it_starts_and_stops_again() -> None:
    """A stopped endpoint has no address, and another start gives it one."""
    llm = LocalLLM(key="k")
    for _ in range(2):
        with pytest.raises(RuntimeError):
            _ = llm.base_url
        with llm:
            assert (await ask(llm)).status_code == 200
    llm.stop()


async def test_a_signal_comes_once() -> None:
    """Waiting for what has come returns at once, however often it is brought about."""
    signal = Signal()
    assert not signal.is_set
    signal.set()
    signal.set()
    await signal.wait()
    assert signal.is_set
