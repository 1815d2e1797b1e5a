"""Start, stop, restart and cancellation (ALL-1)."""

import uuid

import pytest

from bedplate.services.errors import UnavailableError
from bedplate.services.health import HealthStatus
from bedplate.services.variable import VariableService
from bedplate.wiring.testing.cancellation import cancel_at_every_await
from bedplate.wiring.testing.variable.harness import Capabilities, value_of

__all__ = ["Lifecycle"]


class Lifecycle(Capabilities):
    """ALL-1."""

    async def test_changes_cancelled_anywhere(self, variables: VariableService, alice: uuid.UUID) -> None:
        """ALL-1: a change happens or does not; nothing stays locked and no value is lost."""
        await variables.create(alice, "v", "value-0", default_fields=["f"])
        tried, before = ["value-0"], "value-0"

        async def change() -> None:
            tried.append(f"value-{len(tried)}")
            await variables.update(alice, "v", value=tried[-1])

        async def check(cancelled: bool) -> None:
            nonlocal before
            value = await value_of(variables, alice, "v")
            assert value in ((before, tried[-1]) if cancelled else (tried[-1],))
            assert (await variables.get(alice, "v")).default_fields == ("f",)
            before = value

        assert await cancel_at_every_await(change, check) > 0

    async def test_creations_cancelled_anywhere(self, variables: VariableService, alice: uuid.UUID) -> None:
        """ALL-1: wholly there or not at all."""
        names: list[str] = []

        async def create() -> None:
            names.append(f"w{len(names)}")
            await variables.create(alice, names[-1], "x")

        async def check(cancelled: bool) -> None:
            stored = {variable.name for variable in await variables.list(alice)}
            assert cancelled or names[-1] in stored
            if names[-1] in stored:
                assert await value_of(variables, alice, names[-1]) == "x"

        await cancel_at_every_await(create, check)

    async def test_nothing_works_before_the_start_and_after_the_stop(
        self, variables: VariableService, alice: uuid.UUID
    ) -> None:
        """ALL-1: start and stop are idempotent; what comes between has a clear error."""
        await variables.create(alice, "v", "x")
        await variables.start()
        assert (await variables.health()).status is HealthStatus.UP
        await variables.stop()
        await variables.stop()
        assert (await variables.health()).status is HealthStatus.DOWN
        for work in (
            variables.create(alice, "w", "x"),
            variables.get(alice, "v"),
            variables.list(alice),
            variables.update(alice, "v", value="y"),
            variables.delete(alice, "v"),
            variables.resolve(alice, "v"),
        ):
            with pytest.raises(UnavailableError, match="not started"):
                await work
        await variables.start()
        assert await value_of(variables, alice, "v") == "x"
