"""VAR-2: values at rest: encrypted, bound to their place, and never garbage."""

import asyncio
import uuid
from collections.abc import Callable

import pytest

from bedplate.services.errors import ConfigurationError, CorruptDataError
from bedplate.services.variable import UndecryptableVariableError, VariableService, VariableType, WrongKeyError
from bedplate.wiring.testing.variable.harness import Capabilities, VariableHarness

OTHER_KEY = "another-secret-key-of-the-tests-0123456789"

__all__ = ["Encryption"]


class Encryption(Capabilities):
    """VAR-2."""

    @pytest.mark.parametrize("type_", list(VariableType))
    async def test_every_value_is_encrypted_at_rest(
        self, variables: VariableService, harness: VariableHarness, alice: uuid.UUID, type_: VariableType
    ) -> None:
        """VAR-2: Generic values too; the same value never looks the same."""
        for name in ("a", "b"):
            await variables.create(alice, name, "plain text of the value", type=type_)
        one, other = (await harness.kept()).values()
        assert b"plain text" not in one + other
        assert one != other

    async def test_values_cannot_be_swapped(
        self, variables: VariableService, harness: VariableHarness, alice: uuid.UUID, bob: uuid.UUID
    ) -> None:
        """VAR-2: between users, between variables of a user, or between the kinds: none opens in another's place."""
        hers = await variables.create(alice, "key", "alice's secret", type=VariableType.GENERIC)
        second = await variables.create(alice, "second", "another one", type=VariableType.GENERIC)
        secret = await variables.create(alice, "secret", "a credential")
        his = await variables.create(bob, "key", "bob's secret", type=VariableType.GENERIC)
        kept = await harness.kept()
        await harness.overwrite(his.id, kept[hers.id])
        await harness.overwrite(second.id, kept[secret.id])
        await harness.overwrite(secret.id, kept[hers.id])
        for user, name in ((bob, "key"), (alice, "second"), (alice, "secret")):
            with pytest.raises(UndecryptableVariableError, match="belongs elsewhere"):
                await variables.resolve(user, name)
        assert (await variables.resolve(alice, "key")).get_secret_value() == "alice's secret"

    @pytest.mark.parametrize(
        "damage",
        [
            lambda _sealed: b"",
            lambda _sealed: b"plain text as it was",
            lambda sealed: sealed[:-1],
            lambda sealed: sealed[:20],
            lambda sealed: sealed + b"x",
            lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]),
            lambda sealed: sealed[:10] + bytes([sealed[10] ^ 1]) + sealed[11:],
            lambda sealed: b"\x02" + sealed[1:],
            lambda sealed: sealed[:1] + b"abcdef" + sealed[7:],
        ],
    )
    async def test_a_damaged_value_is_an_error_never_garbage(
        self,
        variables: VariableService,
        harness: VariableHarness,
        alice: uuid.UUID,
        damage: Callable[[bytes], bytes],
    ) -> None:
        """VAR-2: neither the ciphertext nor "" comes back; the error names the variable; the others still work."""
        made = await variables.create(alice, "broken", "in the clear", type=VariableType.GENERIC)
        await variables.create(alice, "whole", "fine", type=VariableType.GENERIC)
        await harness.overwrite(made.id, damage((await harness.kept())[made.id]))
        for work in (variables.get(alice, made.id), variables.resolve(alice, "broken")):
            with pytest.raises(UndecryptableVariableError, match="'broken'") as caught:
                await work
            assert isinstance(caught.value, CorruptDataError)
            assert "in the clear" not in str(caught.value)
        assert [(shown.name, shown.value) for shown in await variables.list(alice)] == [
            ("broken", None),
            ("whole", "fine"),
        ]
        assert b"bedplate_variable_undecryptable_total 3.0" in harness.telemetry.exposition()
        with pytest.raises(UndecryptableVariableError):
            await variables.update(alice, "broken", type=VariableType.CREDENTIAL)
        assert (await variables.update(alice, "broken", value="new")).value == "new"

    async def test_a_restart_with_the_same_key_reads_everything(
        self, harness: VariableHarness, alice: uuid.UUID
    ) -> None:
        """VAR-2: what was stored before a restart opens after it."""
        first = await harness.variables()
        await first.create(alice, "v", "kept")
        await first.stop()
        second = await harness.variables()
        assert (await second.resolve(alice, "v")).get_secret_value() == "kept"

    async def test_a_wrong_key_is_a_named_error_at_start(self, harness: VariableHarness, alice: uuid.UUID) -> None:
        """VAR-2: the start is refused with the fix, before anything is read or written with the wrong key."""
        first = await harness.variables()
        await first.create(alice, "v", "kept")
        await first.stop()
        before = await harness.kept()
        with pytest.raises(WrongKeyError, match="put back the secret key from the backup") as caught:
            await harness.variables(secret_key=OTHER_KEY)
        assert isinstance(caught.value, ConfigurationError)
        assert OTHER_KEY not in str(caught.value)
        assert await harness.kept() == before
        assert (await (await harness.variables()).resolve(alice, "v")).get_secret_value() == "kept"

    async def test_the_first_key_is_remembered_even_before_the_first_variable(self, harness: VariableHarness) -> None:
        """VAR-2: a second one is refused though there is nothing to read yet."""
        await harness.variables()
        await harness.variables()
        with pytest.raises(WrongKeyError):
            await harness.variables(secret_key=OTHER_KEY)

    async def test_replicas_that_start_at_once_agree_on_the_key(
        self, harness: VariableHarness, alice: uuid.UUID
    ) -> None:
        """VAR-2: none of them refuses the others' proof of it."""
        services = await asyncio.gather(*(harness.variables() for _ in range(5)))
        await services[0].create(alice, "v", "shared")
        for service in services:
            assert (await service.resolve(alice, "v")).get_secret_value() == "shared"
