"""TRACE-4: credentials are masked wherever they could be shown."""

import uuid

from bedplate.services.variable import VariableType
from bedplate.wiring.testing.variable.harness import Capabilities, VariableHarness

__all__ = ["Masking"]


class Masking(Capabilities):
    """TRACE-4."""

    async def test_credentials_are_masked_from_the_moment_they_are_known(
        self,
        harness: VariableHarness,
        alice: uuid.UUID,
    ) -> None:
        """TRACE-4: written or read, and for a while after they were changed or deleted."""
        variables = await harness.variables(mask_retired=3600)
        await variables.create(alice, "v", "first-credential")
        await variables.create(alice, "g", "generic-value", type=VariableType.GENERIC)
        await variables.update(alice, "v", value="second-credential")
        assert "credential" not in harness.redactor.text("first-credential second-credential")
        assert harness.redactor.text("generic-value") == "generic-value"
        await variables.delete(alice, "v")
        assert "credential" not in harness.redactor.text("first-credential second-credential")

    async def test_credentials_are_forgotten_when_nobody_has_them_any_more(
        self,
        harness: VariableHarness,
        alice: uuid.UUID,
        bob: uuid.UUID,
    ) -> None:
        """ALL-6: what was changed or deleted does not fill the registry for ever; what another has stays masked."""
        variables = await harness.variables(mask_retired=0)
        await variables.create(alice, "v", "first-credential")
        await variables.create(bob, "v", "first-credential")
        await variables.create(alice, "w", "other-credential")
        await variables.update(alice, "v", value="second-credential")
        await variables.update(alice, "w", type=VariableType.GENERIC, value="readable-now")
        assert "credential" not in harness.redactor.text("first-credential second-credential")
        assert harness.redactor.text("other-credential") == "other-credential"
        await variables.delete(bob, "v")
        await variables.delete(alice, "v")
        assert harness.redactor.text("first-credential second-credential") == "first-credential second-credential"

    async def test_a_restarted_process_masks_what_it_reads(self, harness: VariableHarness, alice: uuid.UUID) -> None:
        """TRACE-4: not only what it wrote itself."""
        variables = await harness.variables()
        made = await variables.create(alice, "v", "kept-credential")
        harness.redactor.retire(made.id)
        assert harness.redactor.text("kept-credential") == "kept-credential"
        await variables.resolve(alice, "v")
        assert harness.redactor.text("kept-credential") != "kept-credential"
