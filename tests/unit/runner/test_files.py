"""The File component, and files attached to what a user says."""

import pytest

from bedplate.services.session.runner import RunEvent, RunFailed
from bedplate.wiring.testing.flows import Flow, Stage
from bedplate.wiring.testing.llm import LocalLLM


def _text(events: list[RunEvent]) -> str:
    return str(events[-1].outputs[0].outputs["text"].value["text"])  # type: ignore[union-attr]


def _reading(flow: Flow, **fields: object) -> Flow:
    flow.node("file", "File", **fields).node("out", "TextOutput")
    return flow.edge("file", "message", "out", "input_value")


@pytest.mark.parametrize(
    ("path", "expected"),
    [("f/a.txt", "Grüße"), (["f/a.txt", "f/bom.md"], "Grüße\n\nb"), (["f/bom.md"], "b")],
)
async def test_files_are_read_in_order(path: object, expected: str, stage: Stage, flow: Flow) -> None:
    """STO-1, SES-3: one or several, as text, without its byte order mark."""
    stage.files = {"f/a.txt": "Grüße".encode(), "f/bom.md": b"\xef\xbb\xbfb"}
    assert _text(await stage.events(_reading(flow, path=path, separator="\n\n").data, output_type="text")) == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [("f/missing", "File not found"), ("f/a.pdf", "'a.pdf' is not a text"), ("f/nul", "not a text"), ("", "no file")],
)
async def test_what_cannot_be_read_fails_the_run(path: str, message: str, stage: Stage, flow: Flow) -> None:
    """ALL-3: by name; unless the component is told to leave it out."""
    stage.files = {"f/a.pdf": b"%PDF\xff", "f/nul": b"a\0b", "f/a.txt": b"a"}
    failed = (await stage.events(_reading(flow, path=path).data, output_type="text"))[-1]
    assert isinstance(failed, RunFailed)
    assert message in failed.message
    silent = _reading(Flow(), path=["f/a.txt", path or "f/missing"], silent_errors=True)
    assert _text(await stage.events(silent.data, output_type="text")) == "a"


async def test_attached_files_reach_the_model(stage: Stage, flow: Flow, llm: LocalLLM) -> None:
    """STO-1, CHAT-1: texts as text, images as images."""
    stage.files = {"f/a.txt": b"the text", "f/b.PNG": b"\x89PNG"}
    flow.node("in", "ChatInput", input_value="").node("llm", "LanguageModelComponent", model_name="m", api_key=llm.key)
    flow.edge("in", "message", "llm", "input_value")
    flow.node("out", "TextOutput").edge("llm", "text_output", "out", "input_value")
    events = await stage.events(flow.data, input_value="Look", files=("f/a.txt", "f/b.PNG"), output_type="text")
    assert not isinstance(events[-1], RunFailed)
    said = llm.requests[-1].messages[-1].content
    assert said == "Look\n\na.txt:\nthe text\ndata:image/png;base64,iVBORw=="
    failed = (await stage.events(flow.data, input_value="Look", files=("f/missing.txt",)))[-1]
    assert isinstance(failed, RunFailed)
    assert len(llm.requests) == 1
