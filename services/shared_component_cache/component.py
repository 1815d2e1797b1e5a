"""The base of components: what a flow's nodes are made of.

A component is a class that declares its fields and outputs and builds its outputs from its inputs. It imports no
service: what it may ask of the run that builds it is a
:class:`~bedplate.services.shared_component_cache.component_context.ComponentContext`. This module imports nothing
heavy, so that defining a component costs nothing.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal
from uuid import UUID

import msgspec

from bedplate.services.shared_component_cache.component_context import ComponentContext

__all__ = ["Component", "Field", "FieldType", "Kind", "Message", "Output"]

FieldType = Literal["str", "int", "float", "bool", "dict", "prompt", "code", "file", "slider", "tab", "other"]
Kind = Literal["chain", "llm", "prompt", "retriever", "tool"]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a component's form: a value that the author of a flow sets, or another node's output fills.

    Attributes:
        name: Its key in the node's template and in ``inputs``.
        type: The kind of value; ``"other"`` is for values that come by an edge alone.
        display_name: Its name for people; empty: made from ``name``.
        info: What it is for, for people.
        required: Whether a run fails when it has neither a value nor an edge.
        default: The value of a new node.
        advanced: Whether editors hide it at first.
        show: Whether editors show it at all.
        multiline: Whether a text may have several lines.
        secret: Whether it names a secret: editors mask it, and its value is the name of a variable.
        list: Whether it holds several values.
        input_types: The types of outputs that may be connected; empty takes no edge.
        options: The values to choose from; empty takes any.
        file_types: Extensions that a ``"file"`` field takes, without the dot.
    """

    name: str
    type: FieldType = "str"
    display_name: str = ""
    info: str = ""
    required: bool = False
    default: Any = ""
    advanced: bool = False
    show: bool = True
    multiline: bool = False
    secret: bool = False
    list: bool = False
    input_types: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    file_types: tuple[str, ...] = ()


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One output of a component.

    Attributes:
        name: Its key in what ``build`` returns, and in the edges that leave it.
        display_name: Its name for people; empty: made from ``name``.
        types: The types of its value, such as ``("Message",)``; edges connect by them.
        method: The name by which flow documents know how it is made; it is not called.
    """

    name: str
    display_name: str = ""
    types: tuple[str, ...] = ("Message",)
    method: str = "build"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What an output of type ``"Message"`` carries over an edge: text, and the chat message that it stands for, if any.

    Attributes:
        text: What it says.
        id: The chat message that was announced for it; announcing it again replaces that one.
        sender: Who says it: ``"User"`` or ``"Machine"``; empty where nobody does.
        sender_name: The speaker's name for people.
        session_id: The session that it belongs to; empty for the run's.
        files: Paths of attached files.
        properties: Colours, icon and source, as clients read them.
    """

    text: str
    id: UUID | None = None
    sender: str = ""
    sender_name: str = ""
    session_id: str = ""
    files: tuple[str, ...] = ()
    properties: dict[str, Any] = {}

    def __str__(self) -> str:
        return self.text


class Component:
    """A kind of node. A subclass declares the class variables below and overrides :meth:`build`.

    An instance is made for each build of each node, so a component may keep on ``self`` what it needs while building.

    Attributes:
        type_name: The name by which flows refer to it, unique among all components, such as ``"ChatInput"``.
        category: The group under which editors list it.
        display_name: Its name for people.
        description: What it does, in one sentence.
        icon: The icon that editors show.
        documentation: A link to its documentation.
        kind: What it is to a trace.
        input_type: Which input of a run fills its field ``input_value``; None for none.
        output_type: As which output of a run its result is reported; None for none.
        writes_state: The field that holds the key of the run's state that it writes; None for none.
        reads_state: The field that holds the key that it reads: it is built after those of the flow that write it.
        fields: Its form, in order.
        outputs: What it produces; the first is the main one.
    """

    type_name: ClassVar[str]
    category: ClassVar[str] = "custom_component"
    display_name: ClassVar[str] = ""
    description: ClassVar[str] = ""
    icon: ClassVar[str] = "code"
    documentation: ClassVar[str] = ""
    kind: ClassVar[Kind] = "chain"
    input_type: ClassVar[Literal["chat", "text"] | None] = None
    output_type: ClassVar[Literal["chat", "text"] | None] = None
    writes_state: ClassVar[str | None] = None
    reads_state: ClassVar[str | None] = None
    fields: ClassVar[tuple[Field, ...]] = ()
    outputs: ClassVar[tuple[Output, ...]] = ()

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Produce the outputs.

        Args:
            inputs: The values of the fields by name, edges already followed and variables looked up; fields that a flow
                adds (the variables of a prompt) are among them. A secret field holds a ``SecretStr``, or None.
            context: The run that builds this node.

        Returns:
            The values of the outputs by name.
        """
        raise TypeError(f"{type(self).__name__} does not override build()")
