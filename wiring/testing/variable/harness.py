"""What the suite needs of the backend that it is run against."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import pytest

from bedplate.services.engines.redactor import Redactor
from bedplate.services.telemetry import TelemetryService
from bedplate.services.variable import VariableService
from bedplate.wiring.testing.suite import Suite

__all__ = ["SECRET_KEY", "Capabilities", "VariableHarness", "value_of"]

SECRET_KEY = "a-secret-key-of-the-tests-0123456789abcdef"  # noqa: S105 - it protects nothing


class VariableHarness(Protocol):
    """How the suite comes by services and users, and how it looks at what is kept behind their backs.

    Attributes:
        redactor: What masks secrets, shared by the services.
        telemetry: Where they count.
    """

    redactor: Redactor
    telemetry: TelemetryService

    async def variables(self, *, secret_key: str = SECRET_KEY, **settings: Any) -> VariableService:
        """A started service with this key and these settings of the variable group, over what those before it kept."""
        ...

    async def user(self) -> uuid.UUID:
        """A new user."""
        ...

    async def kept(self) -> Mapping[uuid.UUID, bytes]:
        """The value of every variable as the backend keeps it, by id."""
        ...

    async def overwrite(self, variable_id: uuid.UUID, value: bytes) -> None:
        """Put something else in the place of what the backend keeps of a value."""
        ...


class Capabilities(Suite):
    """What a backend can do; a part of the suite that asks for more is skipped, by name.

    Attributes:
        counts_exactly: Whether no more variables than allowed come to be when many are made at once.
        ordered: Whether variables made one right after another are listed in that order.
    """

    counts_exactly: ClassVar[bool] = True
    ordered: ClassVar[bool] = True

    @pytest.fixture
    async def variables(self, harness: VariableHarness) -> VariableService:
        """A service with the settings that it has by default."""
        return await harness.variables()

    @pytest.fixture
    async def alice(self, harness: VariableHarness) -> uuid.UUID:
        """A user."""
        return await harness.user()

    @pytest.fixture
    async def bob(self, harness: VariableHarness) -> uuid.UUID:
        """Another user."""
        return await harness.user()


async def value_of(variables: VariableService, user: uuid.UUID, name: str) -> str:
    """The value that a flow of the user gets."""
    return (await variables.resolve(user, name)).get_secret_value()
