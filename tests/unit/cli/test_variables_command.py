"""``bedplate variables``: list, set, delete."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bedplate.wiring.cli.boot import running

SECRET = "sk-live-0123456789abcdef"


@pytest.fixture(autouse=True)
def alice(folder: Any) -> None:
    async def create() -> None:
        async with running("auth") as container:
            await container.auth().create_superuser("Alice", "correct horse battery")

    asyncio.run(create())


async def resolved(name: str) -> str:
    async with running("variable") as container:
        user = await container.auth().users.named("alice")
        return (await container.variable().resolve(user.id, name)).get_secret_value()


def test_credential_is_set_changed_listed_and_deleted(
    bedplate: Callable[..., Any], typed: Callable[[str], None]
) -> None:
    """VAR-1: by the command line; the value of a credential comes in by standard input and never out again."""
    for word, value in (("made", SECRET), ("changed", f"{SECRET}-2")):
        typed(f"{value}\n")
        result = bedplate("variables", "set", "OPENAI_API_KEY", "--user", "alice", "--value-stdin")
        assert (result.code, result.out) == (0, f"OPENAI_API_KEY is {word}\n"), result.err
        assert asyncio.run(resolved("OPENAI_API_KEY")) == value
    result = bedplate("variables", "list", "--user", "ALICE")
    assert result.out.splitlines()[1].split() == ["OPENAI_API_KEY", "Credential", "**********"]
    assert SECRET not in result.out + result.err
    assert bedplate("variables", "delete", "OPENAI_API_KEY", "--user", "alice").code == 0
    assert json.loads(bedplate("variables", "list", "--user", "alice", "--format", "json").out) == []


def test_generic_value_of_several_lines(bedplate: Callable[..., Any], typed: Callable[[str], None]) -> None:
    """VAR-1"""
    typed("one\ntwo\n")
    assert bedplate("variables", "set", "TEXT", "--user", "alice", "--type", "generic", "--value-stdin").code == 0
    result = bedplate("variables", "list", "--user", "alice", "--format", "json")
    assert json.loads(result.out) == [{"name": "TEXT", "type": "Generic", "value": "one\ntwo"}]


@pytest.mark.parametrize(
    "args",
    [["list", "--user", "bob"], ["delete", "NOTHING", "--user", "alice"], ["delete", "X", "--user", "bob"]],
)
def test_user_or_variable_that_is_not_there(args: list[str], bedplate: Callable[..., Any]) -> None:
    """VAR-1"""
    result = bedplate("variables", *args)
    assert result.code == 1
    assert "not found" in result.err.lower()
    assert "Traceback" not in result.err


def test_changed_secret_key_is_named(bedplate: Callable[..., Any], typed: Callable[[str], None], folder: Any) -> None:
    """VAR-2, SET-6: as a person at the terminal sees it."""
    typed(SECRET)
    assert bedplate("variables", "set", "KEY", "--user", "alice", "--value-stdin").code == 0
    (folder / "data" / "secret_key").unlink()
    result = bedplate("variables", "list", "--user", "alice")
    assert result.code == 2
    assert "fix: put back the secret key" in result.err
    assert "Traceback" not in result.err


def test_only_what_is_needed_starts(bedplate: Callable[..., Any], started: list[str]) -> None:
    """JOB-3: a partial boot recovers no jobs, because no job queue is there to do it."""
    assert bedplate("variables", "list", "--user", "alice").code == 0
    assert set(started) == {
        "SettingsService", "Redactor", "TelemetryService", "DatabaseService", "Keyring", "VariableService",
        "AuthService", "HttpEngine", "Workers",
    }  # fmt: skip


def test_rotate_encrypts_everything_with_a_new_key(bedplate: Callable[..., Any], typed: Callable[[str], None]) -> None:
    """VAR-2: by the command line, again and again."""
    typed(f"{SECRET}\n")
    bedplate("variables", "set", "OPENAI_API_KEY", "--user", "alice", "--value-stdin")
    keys = set()
    for _ in range(2):
        result = bedplate("variables", "rotate")
        assert result.code == 0, result.err
        assert result.out.startswith("1 values are encrypted with the key ")
        keys.add(result.out.split()[-1])
        assert asyncio.run(resolved("OPENAI_API_KEY")) == SECRET
    assert len(keys) == 2


def test_rotate_takes_store_keys_along(
    bedplate: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STORE-1, VAR-2: after it, nothing needs the earlier secret key any more."""

    async def store_key(given: str | None = None) -> bool:
        async with running("store") as container:
            user = await container.auth().users.named("alice")
            if given is not None:
                await container.store().save_key(user.id, SecretStr(given))
            return (await container.store().key_status(user.id)).valid

    assert asyncio.run(store_key("a-store-key"))
    file = folder / "data" / "secret_key"
    monkeypatch.setenv("BEDPLATE_PREVIOUS_SECRET_KEYS", file.read_text().strip())
    monkeypatch.setenv("BEDPLATE_SECRET_KEY", "another-secret-key-0123456789abcdef")
    assert bedplate("variables", "rotate").code == 0
    monkeypatch.delenv("BEDPLATE_PREVIOUS_SECRET_KEYS")
    assert asyncio.run(store_key())
