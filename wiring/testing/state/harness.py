"""What the suite needs of the backend that it is run against."""

import uuid
from typing import Any, ClassVar, Protocol

import pytest

from bedplate.services.state import Scope, StateChange, StateService, Subscription
from bedplate.wiring.testing.suite import Suite

__all__ = ["Capabilities", "StateHarness", "next_of"]


class StateHarness(Protocol):
    """How the suite comes by states, and how it makes time pass."""

    async def state(self, **settings: Any) -> StateService:
        """A started state service with these settings of the state group, over what those before it kept, if any."""
        ...

    async def advance(self, seconds: float) -> None:
        """Let time pass for the services made so far."""
        ...


class Capabilities(Suite):
    """What a backend can do; a part of the suite that asks for more is skipped, by name.

    Attributes:
        survives_restart: Whether a second service finds what the first one kept.
        reaches_replicas: Whether services that run at once share what they keep, and hear of each other's changes.
    """

    survives_restart: ClassVar[bool] = False
    reaches_replicas: ClassVar[bool] = False

    @pytest.fixture
    async def state(self, harness: StateHarness) -> StateService:
        """A service with the settings that it has by default."""
        return await harness.state()

    @pytest.fixture
    def user_id(self) -> uuid.UUID:
        """A user whom nobody has seen."""
        return uuid.uuid4()

    @pytest.fixture
    def run(self, user_id: uuid.UUID) -> Scope:
        """A run of that user."""
        return Scope.run(user_id, uuid.uuid4())


async def next_of(changes: Subscription, count: int) -> list[StateChange]:
    """The next changes."""
    return [await anext(changes) for _ in range(count)]
