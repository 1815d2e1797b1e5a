"""``bedplate auth``."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.auth import Credentials
from bedplate.services.auth.errors import InvalidCredentialsError
from bedplate.wiring.cli.boot import running

PASSWORD = "correct horse battery"


async def _token() -> str:
    async with running("auth") as container:
        await container.auth().create_superuser("root", PASSWORD)
        return (await container.auth().login("root", PASSWORD)).access_token


async def _whose(token: str) -> str:
    async with running("auth") as container:
        return (await container.auth().verify(Credentials(bearer=token))).user.username


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
def test_rotate_keys(bedplate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    """AUTH-2: from the command line, beside processes that run; whoever is logged in stays so."""
    monkeypatch.setenv("BEDPLATE_AUTH__ALGORITHM", algorithm)
    token = asyncio.run(_token())
    result = bedplate("auth", "rotate-keys")
    assert result.code == 0, result.err
    first, second = result.out.splitlines()
    assert re.fullmatch(rf"{algorithm} key \S+ signs from now on", first)
    assert re.fullmatch(r"the key before it, \S+, is good until 20.* UTC", second)
    assert asyncio.run(_whose(token)) == "root"


def test_keys_given_by_a_setting_are_not_rotated(
    bedplate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """AUTH-2: the error says where to rotate them."""
    from bedplate.services.auth.pem import new_private_key, private_pem

    monkeypatch.setenv("BEDPLATE_AUTH__ALGORITHM", "EdDSA")
    monkeypatch.setenv("BEDPLATE_AUTH__SIGNING_KEY", private_pem(new_private_key("EdDSA", 0)).decode())
    result = bedplate("auth", "rotate-keys")
    assert result.code == 1
    assert "BEDPLATE_AUTH__VERIFICATION_KEY_FILES" in result.err
    assert "PRIVATE KEY" not in result.err


def test_unlock(bedplate: Callable[..., Any]) -> None:
    """AUTH-5: after too many failed logins."""

    async def fail() -> None:
        async with running("auth") as container:
            for _ in range(10):
                with pytest.raises(InvalidCredentialsError):
                    await container.auth().login("nobody", "a guess")

    asyncio.run(fail())
    for expected in ("nobody is unlocked\n", "nobody is not locked\n"):
        result = bedplate("auth", "unlock", "nobody")
        assert (result.code, result.out) == (0, expected), result.err
