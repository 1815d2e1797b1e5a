"""One node of a plan at a time: built, watched and started, and stopped again."""

import inspect
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from dependency_injector import providers

from bedplate.containers.graph import ProviderLike
from bedplate.containers.plan import Node, is_startable
from bedplate.containers.records import backend_of
from bedplate.containers.report import Record, State
from bedplate.services.base import Service
from bedplate.services.engines.redactor import Redactor
from bedplate.services.telemetry import TelemetryService

__all__ = ["Entered", "Entering", "leave"]


@dataclass(eq=False)
class Entered:
    """A node whose start was begun: what has to be stopped again.

    Attributes:
        node: The node.
        record: What is said of it in the report.
        value: What its provider gave; None as long as it has not.
    """

    node: Node
    record: Record
    value: Any = None


class Entering:
    """Starts nodes whose needs are started.

    Args:
        entered: Where what was begun is put down.

    Attributes:
        redactor: The redactor of the container, once there is one.
    """

    def __init__(self, entered: MutableMapping[ProviderLike, Entered]) -> None:
        self.redactor: Redactor | None = None
        self._entered = entered
        self._given: dict[ProviderLike, Mapping[ProviderLike, Any]] = {}

    async def enter(self, node: Node, record: Record) -> None:
        """Build and start one."""
        record.state = State.STARTING
        entered = self._entered[node.provider] = Entered(node, record)
        self._forget_if_outdated(node)
        value = node.provider()
        if inspect.isawaitable(value):  # an async Resource, or a Singleton of an async function
            value = await value
        entered.value = value
        record.backend = record.backend or backend_of(value)
        if isinstance(value, Redactor):
            self.redactor = value
        self._watch(entered)
        if is_startable(value):
            await value.start()

    def _watch(self, new: Entered) -> None:
        """Have telemetry watch what is started now; when that is telemetry itself, what was started before it too."""
        telemetry = next((one.value for one in self._entered.values() if isinstance(one.value, TelemetryService)), None)
        if telemetry is not None:
            for one in self._entered.values() if new.value is telemetry else (new,):
                if isinstance(one.value, Service):
                    telemetry.watch(one.node.name, one.value)

    def _forget_if_outdated(self, node: Node) -> None:
        """Have a singleton built anew if its needs are not those that it was built with at the start before.

        An override has come or gone since, or a resource was closed and opened again.
        """
        given = {need.provider: self._entered[need.provider].value for need in node.needs}
        before = self._given.get(node.provider, given)
        if isinstance(node.provider, providers.BaseSingleton) and (
            given.keys() != before.keys() or any(given[key] is not before[key] for key in given)
        ):
            node.provider.reset()
        self._given[node.provider] = given


async def leave(entered: Entered) -> None:
    """Stop one."""
    if entered.record.state is State.STARTED:
        entered.record.state = State.STOPPING
    if isinstance(entered.node.provider, providers.Resource):
        ended = entered.node.provider.shutdown()
        if inspect.isawaitable(ended):
            await ended
    if is_startable(entered.value):
        await entered.value.stop()
