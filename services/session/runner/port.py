"""The runner port: what executes a flow. It imports no service; what a run needs comes with its context."""

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, Self, TypeAlias

import msgspec
from pydantic import SecretStr

from bedplate.services.errors import NotFoundError, UnavailableError
from bedplate.services.session.runner.document import FlowDocument
from bedplate.services.session.runner.events import RunEvent, RunMessage

__all__ = [
    "ContentReader",
    "HistoryQuery",
    "HistoryReader",
    "InputType",
    "NoResults",
    "NoState",
    "OutputType",
    "RunContext",
    "RunInputs",
    "RunResults",
    "RunState",
    "Runner",
    "SecretReader",
    "StateChange",
    "StateChanges",
    "StateScope",
    "no_files",
]

InputType: TypeAlias = Literal["chat", "text", "any"]
OutputType: TypeAlias = Literal["chat", "text", "any", "debug"]


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages of earlier runs a component wants.

    Attributes:
        session_id: The chat session.
        limit: Most messages, the newest ones; None for as many as the reader gives at most.
        sender: Only of this sender, ``"User"`` or ``"Machine"``.
        sender_name: Only of this name.
        newest_first: The order of the answer.
    """

    session_id: str
    limit: int | None = None
    sender: str | None = None
    sender_name: str | None = None
    newest_first: bool = False


HistoryReader: TypeAlias = Callable[[HistoryQuery], Awaitable[Sequence[RunMessage]]]
"""Reads the messages of the run's user; those that this run itself produced are not among them, so that what a
component reads does not depend on which of two independent vertices came first."""

SecretReader: TypeAlias = Callable[[str], Awaitable[SecretStr]]
"""Gives the value of a variable of the run's user by name; raises ``NotFoundError`` where there is none."""


ContentReader: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Gives the content of a file of the run's user by its path; raises ``NotFoundError`` where there is none."""


async def no_files(_path: str) -> bytes:
    """The reader of a user without files."""
    raise NotFoundError("File not found", service="session", fix="upload it first")


StateScope: TypeAlias = Literal["run", "session", "user"]
"""Whose values: those of this run alone, of all runs of its session, or of all runs of its user."""


class StateChange(Protocol):
    """One change of a key."""

    @property
    def kind(self) -> str:
        """``"set"``, ``"append"`` (the value is the item), ``"delete"``, ``"expire"``, or ``"current"``."""
        ...

    @property
    def value(self) -> Any:
        """The value, or the item; None where there is none."""
        ...

    @property
    def missed(self) -> int:
        """How many changes before this one were lost because the reader lagged."""
        ...


class StateChanges(Protocol):
    """The changes of a key, in order; used in ``async with``. It ends with the run."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: Any) -> None: ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> StateChange: ...


class RunState(Protocol):
    """Values that the vertices of a run share, and the runs of its session or user.

    Values are data; what a caller gets is its own copy. Those of the run are gone when it ends, however it ends.
    """

    async def get(self, key: str, default: Any = None, *, scope: StateScope = "run") -> Any:
        """The value of a key."""
        ...

    async def set(self, key: str, value: Any, *, scope: StateScope = "run") -> None:
        """Give a key a value."""
        ...

    async def append(self, key: str, value: Any, *, scope: StateScope = "run") -> None:
        """Add an item to the list of a key."""
        ...

    async def delete(self, key: str, *, scope: StateScope = "run") -> bool:
        """Forget a value; whether there was one."""
        ...

    async def subscribe(self, key: str, *, scope: StateScope = "run", current: bool = False) -> StateChanges:
        """Listen to a key from now on; with ``current``, to the value that is there first."""
        ...


class NoState:
    """The state of a run that was given none: every use is refused by ``UnavailableError``."""

    async def get(self, key: str, default: Any = None, *, scope: StateScope = "run") -> Any:
        """Refuse."""
        raise _no_state()

    async def set(self, key: str, value: Any, *, scope: StateScope = "run") -> None:
        """Refuse."""
        raise _no_state()

    async def append(self, key: str, value: Any, *, scope: StateScope = "run") -> None:
        """Refuse."""
        raise _no_state()

    async def delete(self, key: str, *, scope: StateScope = "run") -> bool:
        """Refuse."""
        raise _no_state()

    async def subscribe(self, key: str, *, scope: StateScope = "run", current: bool = False) -> StateChanges:
        """Refuse."""
        raise _no_state()


def _no_state() -> UnavailableError:
    return UnavailableError(
        "this run keeps no state", service="session", fix="give its RunContext a state, as wiring.execution does"
    )


class RunResults(Protocol):
    """What frozen vertices gave in earlier runs. Neither method raises but for a cancellation."""

    async def get(self, vertex_id: str, digest: str) -> Mapping[str, Any] | None:
        """The outputs of a vertex with values of this digest, by name; None if it has to be built."""
        ...

    async def put(self, vertex_id: str, digest: str, outputs: Mapping[str, Any]) -> None:
        """Keep the outputs of a vertex, if they can be kept."""
        ...


class NoResults:
    """The results of a run that has none of earlier ones: every vertex is built."""

    async def get(self, vertex_id: str, digest: str) -> Mapping[str, Any] | None:
        """None."""
        return None

    async def put(self, vertex_id: str, digest: str, outputs: Mapping[str, Any]) -> None:
        """Keep nothing."""


class RunInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller asks of one run.

    Attributes:
        input_value: Text for the input components; None leaves what the flow holds.
        input_type: Which of them get it: ``"chat"``, ``"text"``, or ``"any"`` for both. A build request, whose
            default is ``"any"``, means the chat inputs.
        components: Ids or display names of the input components that get it; empty for all of the type.
        files: Paths of files for the chat inputs.
        output_type: Whose outputs are reported at the end; ``"debug"`` for every vertex.
        output_component: Id, display name or component name of the one vertex to report; empty: by type.
        tweaks: Values to use instead of the flow's: by component id, display name or component name, a mapping of
            field to value; or by field name, a value for every component that has that field.
        start_component_id: Run this vertex, what follows from it, and what those need.
        stop_component_id: Run this vertex and what it needs.
    """

    input_value: str | None = None
    input_type: InputType = "chat"
    components: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    output_type: OutputType = "chat"
    output_component: str = ""
    tweaks: Mapping[str, Any] = {}
    start_component_id: str | None = None
    stop_component_id: str | None = None


class RunContext(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf a run goes on, and how it reaches what is theirs.

    Attributes:
        run_id: The run.
        user_id: Its owner.
        flow_id: The flow.
        session_id: The chat session that messages are made in.
        history: Reads messages of earlier runs.
        secret: Reads the owner's variables.
        read_file: Reads the owner's files.
        state: Values that its vertices share.
        results: What frozen vertices gave before.
        new_id: Makes the ids of messages.
    """

    run_id: uuid.UUID
    user_id: uuid.UUID
    flow_id: uuid.UUID
    session_id: str
    history: HistoryReader
    secret: SecretReader
    read_file: ContentReader = no_files
    state: RunState = NoState()
    results: RunResults = NoResults()
    new_id: Callable[[], uuid.UUID] = uuid.uuid4


class Runner(Protocol):
    """Executes flows. The default is the graph runner; an app may put its own in the container."""

    def run(self, flow: FlowDocument, inputs: RunInputs, context: RunContext) -> AsyncGenerator[RunEvent, None]:
        """Execute a flow once.

        Errors of the flow are events, not exceptions. Closing the iterator, or cancelling the task that reads it,
        cancels every branch and returns when none is left.

        Args:
            flow: The document; it is read only.
            inputs: What the caller asks.
            context: On whose behalf.

        Returns:
            The events, as :mod:`bedplate.services.session.runner.events` orders them. Read them within
            ``contextlib.aclosing``, so that a reader that leaves early waits for the branches to end.
        """
        ...
