"""What the runner asks of components: the shape alone, so that it imports none."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import httpx

    from bedplate.services.session.runner.context import VertexContext

__all__ = ["ComponentField", "ComponentRegistry", "ComponentType", "LanguageModelEndpoint", "Toolbox"]


class ComponentField(Protocol):
    """A field that a component type declares."""

    @property
    def name(self) -> str:
        """Its key in the inputs."""
        ...

    @property
    def required(self) -> bool:
        """Whether it must have a value."""
        ...

    @property
    def default(self) -> Any:
        """Its value where the flow holds none."""
        ...

    @property
    def secret(self) -> bool:
        """Whether its value is never shown."""
        ...


class ComponentOutput(Protocol):
    """An output that a component type declares."""

    @property
    def name(self) -> str:
        """Its key in what a build returns."""
        ...


class ComponentInstance(Protocol):
    """A component, made for one build of one vertex."""

    async def build(self, inputs: Mapping[str, Any], context: "VertexContext", /) -> Mapping[str, Any]:
        """Give the values of the outputs by name."""
        ...


class ComponentType(Protocol):
    """A component type; see ``services/shared_component_cache/component.py`` for what its attributes mean."""

    @property
    def fields(self) -> Sequence[ComponentField]:
        """What it takes."""
        ...

    @property
    def outputs(self) -> Sequence[ComponentOutput]:
        """What it gives."""
        ...

    @property
    def icon(self) -> str:
        """What editors show."""
        ...

    @property
    def kind(self) -> str:
        """What it is to a trace."""
        ...

    @property
    def input_type(self) -> Literal["chat", "text"] | None:
        """Which input of a run it takes."""
        ...

    @property
    def writes_state(self) -> str | None:
        """The field that holds the key of the run's state that it writes."""
        ...

    @property
    def reads_state(self) -> str | None:
        """The field that holds the key of the run's state that it reads."""
        ...

    @property
    def output_type(self) -> Literal["chat", "text"] | None:
        """As which output of a run it is reported."""
        ...

    def __call__(self) -> ComponentInstance:
        """Make an instance."""
        ...


class ComponentRegistry(Protocol):
    """Where component types are found."""

    def get(self, type_name: str, /) -> ComponentType:
        """The component type of this name.

        Raises:
            NotFoundError: There is none.
        """
        ...


class LanguageModelEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's OpenAI-compatible endpoint, and how patiently it is called.

    Attributes:
        base_url: Its address, without a slash at its end; never in an event.
        connect_timeout: Seconds to connect to it.
        read_timeout: Its longest silence, in seconds.
        retries: Most further attempts of a call that fails before its first token.
        retry_delay: Seconds before the first of them; each later one waits twice as long.
        max_retry_delay: Longest of those waits, in seconds.
        max_answer_bytes: Largest answer.
    """

    base_url: str
    connect_timeout: float = 10.0
    read_timeout: float = 120.0
    retries: int = 2
    retry_delay: float = 0.5
    max_retry_delay: float = 10.0
    max_answer_bytes: int = 4 * 1024 * 1024


class Toolbox(msgspec.Struct, frozen=True, kw_only=True):
    """What the process lends to components.

    Attributes:
        http: Gives the pooled HTTP client.
        llm: Where language models are called.
        shared: Lends a live object of a user: the user, its key, what makes it, what closes it.
    """

    http: "Callable[[], httpx.AsyncClient]"
    llm: LanguageModelEndpoint
    shared: "Callable[..., AbstractAsyncContextManager[Any]]"
