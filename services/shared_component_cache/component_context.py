"""What a component may ask of the run that builds it, and of nobody else.

Protocols, which the runner and the services behind it fulfil without being imported here.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID

from pydantic import SecretStr

from bedplate.services.shared_component_cache.component_state import SharedState

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import httpx

__all__ = ["ChatEndpoint", "ComponentContext", "PastMessage"]

T = TypeVar("T")


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
            The chat message that the text goes to, which the component gives on as the ``id`` of its ``Message`` so
            that a chat output completes it; None where no chat output takes the text, which then goes nowhere.
        """
        ...

    def report_usage(
        self,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        total_tokens: int = 0,
        model: str | None = None,
        finish_reason: str | None = None,
    ) -> None:
        """Add what a language model counted to what this component used, with its name and why it ended."""
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
