"""The base of components: what a flow's nodes are made of.

A component is a class that declares its fields and outputs and builds its outputs from its inputs. It imports no
service: what it may ask of the run that builds it is a :class:`ComponentContext`. This module imports nothing heavy,
so that defining a component costs nothing.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, TypeVar
from uuid import UUID

import msgspec
from pydantic import SecretStr

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import httpx

__all__ = [
    "ChatEndpoint",
    "Component",
    "ComponentContext",
    "Field",
    "FieldType",
    "Kind",
    "Message",
    "Output",
    "PastMessage",
    "SharedState",
    "StateChange",
    "StateChanges",
    "StateScope",
]

T = TypeVar("T")

FieldType = Literal["str", "int", "float", "bool", "dict", "prompt", "code", "file", "slider", "tab", "other"]
Kind = Literal["chain", "llm", "prompt", "retriever", "tool"]
StateScope = Literal["run", "session", "user"]


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

    @property
    def session_id(self) -> str:
        """The session that it belongs to."""
        ...

    @property
    def timestamp(self) -> datetime:
        """When it was said, in UTC."""
        ...


class ChatEndpoint(Protocol):
    """The operator's OpenAI-compatible endpoint, and how patiently it is called."""

    @property
    def base_url(self) -> str:
        """Its address, without a slash at its end; never shown to anyone."""
        ...

    @property
    def connect_timeout(self) -> float:
        """Seconds to connect to it."""
        ...

    @property
    def read_timeout(self) -> float:
        """Its longest silence, in seconds."""
        ...

    @property
    def retries(self) -> int:
        """Most further attempts of a call that fails before its first token."""
        ...

    @property
    def retry_delay(self) -> float:
        """Seconds before the first further attempt; each later one waits twice as long."""
        ...

    @property
    def max_retry_delay(self) -> float:
        """Longest wait before a further attempt, in seconds."""
        ...

    @property
    def max_answer_bytes(self) -> int:
        """Largest answer."""
        ...


class StateChange(Protocol):
    """One change of a key of the state."""

    @property
    def kind(self) -> str:
        """``"set"``, ``"append"``, ``"delete"``, ``"expire"``, or ``"current"``: no change, but what is there.

        A reader that lags too far behind gets a ``"current"`` one in place of what it missed.
        """
        ...

    @property
    def value(self) -> Any:
        """The value that was set, or the item that was appended; None where nothing is there any more."""
        ...

    @property
    def missed(self) -> int:
        """How many changes before this one were lost because the reader lagged."""
        ...


class StateChanges(Protocol):
    """The changes of a key, in order: ``async with await state.subscribe(key) as changes: async for …``."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: Any) -> None: ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> StateChange: ...


class SharedState(Protocol):
    """Values that the components of a run share, and the runs of its session (``scope="session"``) or its user.

    Values are data: texts, numbers, lists, dictionaries, bytes, times. What a component gets is its own copy. The
    values of a run are gone when it ends. Each method raises an ``InvalidInputError`` for a key or value that cannot
    be kept, and a ``RateLimitedError`` where there is too much already.
    """

    async def get(self, key: str, default: Any = None, *, scope: StateScope = "run") -> Any:
        """The value of a key; ``default`` if there is none."""
        ...

    async def set(self, key: str, value: Any, *, scope: StateScope = "run") -> None:
        """Give a key a value."""
        ...

    async def append(self, key: str, value: Any, *, scope: StateScope = "run") -> None:
        """Add an item to the list of a key; a value that is no list becomes the first item of one."""
        ...

    async def delete(self, key: str, *, scope: StateScope = "run") -> bool:
        """Forget a value; whether there was one."""
        ...

    async def subscribe(self, key: str, *, scope: StateScope = "run", current: bool = False) -> StateChanges:
        """Listen to the changes of a key from now on, until the run ends.

        Args:
            key: The key; there need be no value yet.
            scope: Whose.
            current: Give the value that is there now as the first change.
        """
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
    def llm(self) -> ChatEndpoint:
        """The endpoint that language models are called at."""
        ...

    @property
    def state(self) -> SharedState:
        """Values that the components of the run share."""
        ...

    @property
    def wanted(self) -> Set[str]:
        """The names of the outputs that somebody takes; the main one where nobody takes any."""
        ...

    def shared(
        self, key: str, make: Callable[[], Awaitable[T]], *, close: Callable[[T], object] | None = None
    ) -> "AbstractAsyncContextManager[T]":
        """A live object of the user who runs the flow, such as a client or a model, for the block that it is used in.

        It is made once, kept for other runs of the same user, and closed when room is needed or the process ends.

        Args:
            key: Everything that it is made of, secrets as a digest.
            make: Makes it.
            close: Closes it; None: its own ``aclose`` or ``close``, if it has one.
        """
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

    async def read_file(self, path: str) -> bytes:
        """The content of a file of the user who runs the flow, by the path that its upload answered.

        Raises:
            NotFoundError: The user has no such file.
            TooLargeError: It is larger than a component may read.
        """
        ...

    async def stream_token(self, text: str) -> UUID | None:
        """Pass on a piece of the text that this component is producing; waits while the reader is behind.

        Returns:
            The chat message that the text goes to, which the component gives on as :attr:`Message.id` so that a chat
            output completes it; None where no chat output takes the text, which then goes nowhere.
        """
        ...

    def report_usage(
        self, *, input_tokens: int = 0, output_tokens: int = 0, total_tokens: int = 0, model: str | None = None
    ) -> None:
        """Add what a language model counted to what this component used."""
        ...

    async def emit_message(
        self,
        text: str,
        *,
        sender: str,
        sender_name: str,
        message_id: UUID | None = None,
        session_id: str | None = None,
        files: Sequence[str] = (),
        properties: Mapping[str, Any] | None = None,
        store: bool = True,
    ) -> UUID:
        """Announce a finished message of the conversation and return its id.

        Args:
            text: What it says.
            sender: ``"User"`` or ``"Machine"``.
            sender_name: The speaker's name for people.
            message_id: The message that it replaces or completes; None makes one.
            session_id: Its session; None for the run's.
            files: Paths of attached files.
            properties: Colours, icon and source.
            store: Whether the history keeps it.
        """
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
