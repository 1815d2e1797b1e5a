"""The built-in components, but for the language model."""

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedplate.services.session.runner import MessageProduced, RunMessage
from bedplate.services.shared_component_cache.components import BUILTIN
from bedplate.services.shared_component_cache.components.template import fill, variables
from bedplate.wiring.testing.flows import Flow, Stage


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hello {name}!", "Hello Ada!"),
        ("{name}{name}", "AdaAda"),
        ("{{name}}", "{name}"),
        ("{{{name}}}", "{Ada}"),
        ("{missing}|", "|"),
        ('{"a": {"b": 1}}', '{"a": {"b": 1}'),
        ("{ name } {} {0} {a b}", "{ name } {} {0} {a b}"),
        ("}{", "}{"),
        ("", ""),
    ],
)
def test_templates(template: str, text: str) -> None:
    """SES-3: {name} is filled, doubled braces stand for one, a missing name is empty, other braces are text."""
    assert fill(template, {"name": "Ada", "0": "no"}) == text


@given(st.text(alphabet="{}ab_ \n1"))
def test_no_template_fails(template: str) -> None:
    """Whatever the braces, a template is filled."""
    assert isinstance(fill(template, {"a": "x"}), str)
    assert all(name.isidentifier() or "-" in name for name in variables(template))


async def test_prompt_takes_values_from_fields_and_edges(stage: Stage, flow: Flow) -> None:
    """SES-3: a prompt's variables are its fields, filled by the flow or by edges; a list is put in line by line."""
    flow.node("in", "TextInput", input_value="one").node("in2", "TextInput", input_value="two")
    flow.node("p", "Prompt", template="{own} {edge}\n{{kept}} {nothing}.", own="value", edge="")
    flow.edge("in", "text", "p", "edge").edge("in2", "text", "p", "edge")
    flow.node("out", "TextOutput").edge("p", "prompt", "out", "input_value")
    (output,) = (await stage.events(flow.data, output_type="text"))[-1].outputs
    assert output.outputs["text"].value["text"] == "value one\ntwo\n{kept} ."


async def test_chat_input_to_chat_output_is_one_message(stage: Stage, flow: Flow) -> None:
    """What goes from ChatInput to ChatOutput is one message, first the user's, then the machine's."""
    flow.node("in", "ChatInput", sender="User", sender_name="User", input_value="default")
    flow.node("out", "ChatOutput", sender="Machine", sender_name="AI").edge("in", "message", "out", "input_value")
    events = await stage.events(flow.data, input_value="hi", files=("a.png",))
    first, second = [event.message for event in events if isinstance(event, MessageProduced)]
    assert first.id == second.id
    assert (first.sender, first.sender_name, first.text, first.files) == ("User", "User", "hi", ("a.png",))
    assert (second.sender, second.sender_name, second.text, second.files) == ("Machine", "AI", "hi", ("a.png",))
    assert second.session_id == "session"
    output = events[-1].outputs[0]
    assert output.message == second
    assert output.artifacts["message"] == "hi"


async def test_chat_input_says_what_the_flow_holds(stage: Stage, flow: Flow) -> None:
    """Without an input, the flow's own is said; colours, icon, session and storing are as the fields say."""
    flow.node(
        "in",
        "ChatInput",
        input_value="default",
        session_id="other",
        should_store_message={"type": "bool", "value": False},
        background_color="#fff",
        chat_icon="Bot",
    )
    (produced,) = [event for event in await stage.events(flow.data) if isinstance(event, MessageProduced)]
    message = produced.message
    assert (message.text, message.session_id, message.store) == ("default", "other", False)
    assert (message.properties["background_color"], message.properties["icon"]) == ("#fff", "Bot")
    assert message.properties["state"] == "complete"


async def test_chat_output_shows_data_by_a_template(stage: Stage, flow: Flow) -> None:
    """Rows of data become lines of the template."""
    stage.messages = [past("one"), past("two", sender="Machine", sender_name="AI")]
    flow.node("m", "Memory").node("out", "ChatOutput", data_template="<{sender_name}:{text}>")
    flow.edge("m", "dataframe", "out", "input_value")
    (output,) = (await stage.events(flow.data))[-1].outputs
    assert output.message is not None
    assert output.message.text == "<Ada:one>\n<AI:two>"


def past(text: str, sender: str = "User", sender_name: str = "Ada", session_id: str = "session") -> RunMessage:
    return RunMessage(id=uuid.uuid4(), session_id=session_id, text=text, sender=sender, sender_name=sender_name)


async def memory_text(stage: Stage, **fields: Any) -> str:
    flow = Flow().node("m", "Memory", **fields)
    text = (await stage.events(flow.data, output_component="m"))[-1].outputs[0].outputs["messages_text"].value["text"]
    assert isinstance(text, str)
    return text


async def test_memory_writes_messages_by_its_template(stage: Stage) -> None:
    """SES-3: Memory gives the messages of the session as text, each by the template."""
    stage.messages = [past("hi"), past("hello {x}", sender="Machine", sender_name="AI"), past("no", session_id="z")]
    assert await memory_text(stage) == "Ada: hi\nAI: hello {x}"
    assert await memory_text(stage, template="[{sender}] {text}") == "[User] hi\n[Machine] hello {x}"
    assert await memory_text(stage, session_id="z") == "Ada: no"
    assert await memory_text(stage, n_messages={"type": "int", "value": "1"}) == "AI: hello {x}"


async def test_memory_asks_for_what_its_fields_say(stage: Stage) -> None:
    """The filters, the order and the number go to the history as they are."""
    await memory_text(
        stage,
        order="Descending",
        sender_type="User",
        sender_name="Ada",
        n_messages={"type": "int", "value": 5},
    )
    await memory_text(stage, sender_type="Machine and User", order="Ascending")
    first, second = stage.queries
    assert (first.newest_first, first.sender, first.sender_name, first.limit) == (True, "User", "Ada", 5)
    assert (second.newest_first, second.sender, second.sender_name, second.limit) == (False, None, None, 100)


async def test_memory_with_a_wrong_number(stage: Stage, flow: Flow) -> None:
    """A number of messages that is none is a typed error."""
    failed = (await stage.events(flow.node("m", "Memory", n_messages="many").data))[-1]
    assert (failed.code, failed.vertex_id) == ("invalid_input", "m")


async def test_memory_stores_a_message(stage: Stage, flow: Flow) -> None:
    """In its other mode, Memory adds a message to the session."""
    flow.node("in", "TextInput", input_value="keep this")
    flow.node("m", "Memory", mode="Store", sender="User", sender_name="Ada").edge("in", "text", "m", "message")
    (produced,) = [event for event in await stage.events(flow.data) if isinstance(event, MessageProduced)]
    assert (produced.message.text, produced.message.sender, produced.message.sender_name) == (
        "keep this",
        "User",
        "Ada",
    )


def test_every_builtin_declares_itself() -> None:
    """Each built-in component has a name of its own, says what it does, and declares outputs and distinct fields."""
    assert len({component.type_name for component in BUILTIN}) == len(BUILTIN)
    for component in BUILTIN:
        assert component.display_name
        assert component.description
        assert component.outputs
        names = [field.name for field in component.fields]
        assert len(set(names)) == len(names)
