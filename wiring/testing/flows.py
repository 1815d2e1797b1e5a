"""What tests of components and flows use: flow documents written in a few lines, and a stage to run them on."""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from bedplate.services.errors import NotFoundError
from bedplate.services.session.runner import (
    FlowDocument,
    GraphRunner,
    HistoryQuery,
    LanguageModelEndpoint,
    RunContext,
    RunEvent,
    RunInputs,
    RunLimits,
    RunMessage,
    RunState,
    Toolbox,
)
from bedplate.services.session.runner.port import NoState
from bedplate.services.shared_component_cache import Component
from bedplate.services.shared_component_cache.components import BUILTIN
from bedplate.services.shared_component_cache.objects import SharedObjects

if TYPE_CHECKING:
    import httpx

    from bedplate.wiring.testing.llm import LocalLLM

__all__ = ["Flow", "Registry", "Stage"]


class Flow:
    """Writes a flow document.

    Attributes:
        nodes: Its nodes.
        edges: Its edges.
    """

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.edges: list[dict[str, Any]] = []

    def node(self, node_id: str, component: str, **values: Any) -> "Flow":
        """Add a node; a value that is a mapping is the whole template field."""
        template = {
            name: dict(value) if isinstance(value, Mapping) else {"type": "str", "value": value}
            for name, value in values.items()
        }
        node = {"template": template, "display_name": f"The {node_id}"}
        self.nodes.append(
            {"id": node_id, "type": "genericNode", "data": {"id": node_id, "type": component, "node": node}}
        )
        return self

    def edge(self, source: str, output: str, target: str, field: str) -> "Flow":
        """Connect an output of one node with a field of another."""
        data = {"sourceHandle": {"name": output}, "targetHandle": {"fieldName": field}}
        self.edges.append({"source": source, "target": target, "data": data})
        return self

    @property
    def data(self) -> dict[str, Any]:
        """The document."""
        return {"nodes": self.nodes, "edges": self.edges, "viewport": {"x": 0, "y": 0, "zoom": 1}}


class Registry:
    """The built-in components, and those that a test adds.

    Attributes:
        types: The component types by name.
    """

    def __init__(self) -> None:
        self.types: dict[str, type[Component]] = {component.type_name: component for component in BUILTIN}

    def get(self, type_name: str) -> type[Component]:
        """The component type of this name."""
        if type_name not in self.types:
            raise NotFoundError(f"there is no component type {type_name!r}")
        return self.types[type_name]

    def add(self, *components: type[Component]) -> None:
        """Add component types, or replace those of their names."""
        self.types |= {component.type_name: component for component in components}


class Stage:
    """Runs flows on behalf of one user, with no service behind.

    Args:
        registry: The component types.
        http: The client that they are lent.
        llm: Where language models are called; its key is the variable ``OPENAI_API_KEY``.

    Attributes:
        registry: As given.
        endpoint: Where and how patiently language models are called; without waits, unless changed.
        limits: How much one run may do at once.
        variables: The user's variables.
        files: The user's files by path.
        objects: What components share.
        state: What the vertices of its runs share; none, unless a test gives one.
        messages: What the history holds.
        queries: What the history was asked for.
    """

    def __init__(self, registry: Registry, http: "httpx.AsyncClient", llm: "LocalLLM") -> None:
        self.registry = registry
        self.http = http
        self.endpoint = LanguageModelEndpoint(base_url=llm.base_url, retry_delay=0, max_retry_delay=0)
        self.limits = RunLimits()
        self.variables = {"OPENAI_API_KEY": llm.key}
        self.files: dict[str, bytes] = {}
        self.objects = SharedObjects(most=16, most_of_owner=16, close_timeout=5.0)
        self.objects.start()
        self.state: RunState = NoState()
        self.messages: list[RunMessage] = []
        self.queries: list[HistoryQuery] = []

    async def history(self, query: HistoryQuery) -> Sequence[RunMessage]:
        """The newest messages of the session; other criteria are not looked at."""
        self.queries.append(query)
        found = [message for message in self.messages if message.session_id == query.session_id]
        return found[-query.limit :] if query.limit else found

    async def secret(self, name: str) -> SecretStr:
        """The value of a variable."""
        if name not in self.variables:
            raise NotFoundError("no such variable", service="variable")
        return SecretStr(self.variables[name])

    async def read_file(self, path: str) -> bytes:
        """The content of a file."""
        if path not in self.files:
            raise NotFoundError("File not found", service="storage")
        return self.files[path]

    def runner(self) -> GraphRunner:
        """A runner with what this stage has now."""
        return GraphRunner(
            self.registry, Toolbox(http=lambda: self.http, llm=self.endpoint, shared=self.objects.use), self.limits
        )

    def context(self, session_id: str = "session") -> RunContext:
        """The context of one run."""
        return RunContext(
            run_id=uuid.uuid4(),
            user_id=uuid.uuid4(),
            flow_id=uuid.uuid4(),
            session_id=session_id,
            history=self.history,
            secret=self.secret,
            read_file=self.read_file,
            state=self.state,
        )

    async def events(self, data: object, session_id: str = "session", **inputs: Any) -> list[RunEvent]:
        """All events of one run; ``inputs`` are those of :class:`~bedplate.services.session.runner.RunInputs`."""
        run = self.runner().run(FlowDocument.parse(data), RunInputs(**inputs), self.context(session_id))
        async with aclosing(run) as events:
            return [event async for event in events]
