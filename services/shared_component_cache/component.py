"""The base of components: what a flow's nodes are made of.

A component is a class that declares its fields and outputs and builds its outputs from its inputs. It imports no
service: what it may ask of the run that builds it is a :class:`ComponentContext`. This module imports nothing heavy,
so that defining a component costs nothing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol
from uuid import UUID

import msgspec
from pydantic import SecretStr

if TYPE_CHECKING:
    import httpx

__all__ = ["Component", "ComponentContext", "Field", "FieldType", "Output", "PastMessage"]

FieldType = Literal["str", "int", "float", "bool", "dict", "prompt", "code", "file", "slider", "tab", "other"]


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


class PastMessage(Protocol):
    """One message of a session's history, as a component sees it."""

    @property
    def text(self) -> str:
        """What was said."""
        ...

    @property
    def sender(self) -> str:
        """Who said it: ``"User"`` or ``"Machine"``."""
        ...

    @property
    def sender_name(self) -> str:
        """The speaker's name for people."""
        ...


class ComponentContext(Protocol):
    """What a component may ask of the run that builds it."""

    @property
    def run_id(self) -> UUID:
        """The run."""
        ...

    @property
    def flow_id(self) -> UUID:
        """The flow that runs."""
        ...

    @property
    def session_id(self) -> str:
        """The session that the run belongs to."""
        ...

    @property
    def vertex_id(self) -> str:
        """The node that is being built."""
        ...

    @property
    def http(self) -> "httpx.AsyncClient":
        """The pooled client of the process, for calls to other systems."""
        ...

    @property
    def llm_base_url(self) -> str:
        """The operator's OpenAI-compatible endpoint, without a slash at its end."""
        ...

    @property
    def llm_connect_timeout(self) -> float:
        """Seconds to connect to that endpoint."""
        ...

    @property
    def llm_read_timeout(self) -> float:
        """The longest silence of that endpoint, in seconds."""
        ...

    async def secret(self, name: str) -> SecretStr:
        """The value of the variable ``name`` of the user who runs the flow.

        Raises:
            NotFoundError: The user has no such variable.
        """
        ...

    async def history(
        self,
        *,
        session_id: str | None = None,
        limit: int = 100,
        newest_first: bool = False,
        sender: str | None = None,
        sender_name: str | None = None,
    ) -> Sequence[PastMessage]:
        """The newest ``limit`` stored messages of a session (None: of this run's) in the order asked for."""
        ...

    async def stream_token(self, text: str) -> None:
        """Pass on a piece of the text that this component is producing; waits while the reader is behind."""
        ...

    async def emit_message(
        self,
        text: str,
        *,
        sender: str,
        sender_name: str,
        session_id: str | None = None,
        files: Sequence[str] = (),
        properties: Mapping[str, Any] | None = None,
        store: bool = True,
    ) -> UUID:
        """Announce a finished message of the conversation and return its id; ``store`` keeps it in the history."""
        ...


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
        fields: Its form, in order.
        outputs: What it produces; the first is the main one.
    """

    type_name: ClassVar[str]
    category: ClassVar[str] = "custom_component"
    display_name: ClassVar[str] = ""
    description: ClassVar[str] = ""
    icon: ClassVar[str] = "code"
    documentation: ClassVar[str] = ""
    fields: ClassVar[tuple[Field, ...]] = ()
    outputs: ClassVar[tuple[Output, ...]] = ()

    async def build(self, inputs: Mapping[str, Any], context: ComponentContext) -> Mapping[str, Any]:
        """Produce the outputs.

        Args:
            inputs: The values of the fields by name, edges already followed; fields that a flow adds (the variables of
                a prompt) are among them.
            context: The run that builds this node.

        Returns:
            The values of the outputs by name.
        """
        raise TypeError(f"{type(self).__name__} does not override build()")
