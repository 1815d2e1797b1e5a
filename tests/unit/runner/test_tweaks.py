"""Values that a caller of a run gives instead of the flow's own."""

from typing import Any

import pytest

from bedplate.services.session.runner import FieldValue, FlowNode, RunInputs
from bedplate.services.session.runner.tweaks import apply_input, apply_tweaks

NODES = {
    "A-1": FlowNode(
        id="A-1",
        component="A",
        display_name="First",
        fields={
            "text": FieldValue(value="one"),
            "key": FieldValue(value="NAME", load_from_db=True, secret=True),
            "table": FieldValue(value={}, type="NestedDict"),
        },
    ),
    "A-2": FlowNode(id="A-2", component="A", display_name="Second", fields={"text": FieldValue(value="two")}),
    "B-1": FlowNode(id="B-1", component="B", display_name="First", fields={"text": FieldValue(value="three")}),
}


def texts(tweaks: dict[str, Any]) -> list[Any]:
    return [node.fields["text"].value for node in apply_tweaks(NODES, tweaks).values()]


@pytest.mark.parametrize(
    ("tweaks", "expected"),
    [
        ({"A-1": {"text": "x"}}, ["x", "two", "three"]),
        ({"Second": {"text": "x"}}, ["one", "x", "three"]),
        ({"First": {"text": "x"}}, ["x", "two", "x"]),
        ({"A": {"text": "x"}}, ["x", "x", "three"]),
        ({"text": "x"}, ["x", "x", "x"]),
        ({"A-2": {"text": {"value": "x"}}}, ["one", "x", "three"]),
        ({"text": "x", "A-2": {"text": "y"}}, ["x", "y", "x"]),
        ({"Nobody": {"text": "x"}}, ["one", "two", "three"]),
        ({"A-1": {"unknown": "x"}, "code": "x"}, ["one", "two", "three"]),
        ({}, ["one", "two", "three"]),
    ],
)
def test_tweaks_by_id_display_name_component_and_field(tweaks: dict[str, Any], expected: list[str]) -> None:
    """SES-3: a tweak finds its nodes by id, else display name, else component name, else is for a field everywhere."""
    assert texts(tweaks) == expected


def test_tweaks_change_no_node_of_the_flow() -> None:
    """The nodes of the flow are as before, so that another run sees the flow's own values."""
    apply_tweaks(NODES, {"text": "x", "A-1": {"key": {"value": "OTHER"}}})
    assert texts({}) == ["one", "two", "three"]
    assert NODES["A-1"].fields["key"].value == "NAME"


def test_a_tweak_of_a_variable_field() -> None:
    """A mapping names another variable or gives a value; a plain value may be either."""
    named = apply_tweaks(NODES, {"A-1": {"key": {"value": "OTHER", "load_from_db": True}}})["A-1"].fields["key"]
    assert (named.value, named.load_from_db, named.secret) == ("OTHER", True, True)
    literal = apply_tweaks(NODES, {"A-1": {"key": {"value": "sk-1", "load_from_db": False}}})["A-1"].fields["key"]
    assert (literal.value, literal.load_from_db, literal.secret) == ("sk-1", False, True)
    either = apply_tweaks(NODES, {"A-1": {"key": "sk-1"}})["A-1"].fields["key"]
    assert (either.value, either.load_from_db, either.tweaked) == ("sk-1", True, True)


def test_a_mapping_is_the_value_of_a_field_of_mappings() -> None:
    """Fields that hold mappings take one whole."""
    assert apply_tweaks(NODES, {"A-1": {"table": {"a": 1}}})["A-1"].fields["table"].value == {"a": 1}


CHAT = {
    name: FlowNode(
        id=name, component=component, display_name=f"The {name}", fields={"input_value": FieldValue(value="")}
    )
    for name, component in (("chat", "ChatInput"), ("text", "TextInput"), ("text2", "TextInput"), ("other", "Prompt"))
}


@pytest.mark.parametrize(
    ("inputs", "filled"),
    [
        (RunInputs(input_value="x"), {"chat"}),
        (RunInputs(input_value="x", input_type="text"), {"text", "text2"}),
        (RunInputs(input_value="x", input_type="any"), {"chat", "text", "text2"}),
        (RunInputs(input_value="x", input_type="any", components=("text", "The chat")), {"chat", "text"}),
        (RunInputs(input_value="x", components=("other",)), set()),
        (RunInputs(), set()),
    ],
)
def test_the_input_goes_to_the_input_components(inputs: RunInputs, filled: set[str]) -> None:
    """SES-3: the input goes to the components of its type, or to those of them that are named."""
    types = {"ChatInput": "chat", "TextInput": "text", "Prompt": None}
    nodes = apply_input(CHAT, inputs, types)
    assert {name for name, node in nodes.items() if node.fields["input_value"].value == "x"} == filled


def test_an_empty_input_is_an_input_and_files_go_to_chat_inputs() -> None:
    """The empty text replaces the flow's own; files are for chat inputs only."""
    types = {"ChatInput": "chat", "TextInput": "text", "Prompt": None}
    given = {
        "chat": FlowNode(
            id="chat", component="ChatInput", display_name="", fields={"input_value": FieldValue(value="old")}
        )
    }
    nodes = apply_input(given, RunInputs(input_value="", files=("a.txt",)), types)
    assert (nodes["chat"].fields["input_value"].value, nodes["chat"].fields["files"].value) == ("", ["a.txt"])
    assert "files" not in apply_input(CHAT, RunInputs(files=("a.txt",)), types)["text"].fields
