"""AUTH-5: who does not know the password learns nothing of the account, neither from the answer nor from its price."""

import logging

import argon2
import pytest

from bedplate.services.auth import AuthService, Client, Principal, TokenPair, UserChanges
from bedplate.services.auth.errors import (
    InactiveUserError,
    InvalidCredentialsError,
    WaitingForApprovalError,
)
from bedplate.services.telemetry import TelemetryService


@pytest.fixture
def priced(monkeypatch: pytest.MonkeyPatch) -> list[argon2.Parameters]:
    """The parameters of every hash that is verified: what a verification costs depends on nothing else."""
    paid: list[argon2.Parameters] = []
    verify = argon2.PasswordHasher.verify

    def note_and_verify(self: argon2.PasswordHasher, encoded: str, password: bytes) -> bool:
        paid.append(argon2.extract_parameters(encoded))
        return verify(self, encoded, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", note_and_verify)
    return paid


@pytest.fixture
async def crowd(auth: AuthService, root: Principal) -> None:
    """A user of each kind, all with the password ``open sesame``."""
    for name, active in (("active", True), ("waiting", False), ("deactivated", True)):
        await auth.users.create(root, name, "open sesame", is_active=active)
    deactivated = (await auth.login("deactivated", "open sesame")).user
    await auth.users.update(root, deactivated.id, UserChanges(is_active=False))


@pytest.mark.usefixtures("crowd")
async def test_unknown_user_and_wrong_password_cost_and_read_the_same(
    auth: AuthService, priced: list[argon2.Parameters]
) -> None:
    """AUTH-5: for active, waiting and deactivated users alike, and for names that nobody can have."""
    answers = set()
    priced.clear()
    for name in ("active", "waiting", "deactivated", "nobody", "", " ", "\ud800", "x" * 100_000):
        with pytest.raises(InvalidCredentialsError) as refused:
            await auth.login(name, "open barley")
        answers.add((type(refused.value), str(refused.value), refused.value.code, refused.value.__cause__))
    assert len(answers) == 1
    assert len(priced) == 8
    assert all(price == priced[0] for price in priced)


@pytest.mark.usefixtures("crowd")
async def test_the_right_password_learns_the_state_of_the_account(auth: AuthService) -> None:
    """AUTH-6: waiting for approval is not deactivated."""
    with pytest.raises(WaitingForApprovalError, match="Waiting for approval"):
        await auth.login("waiting", "open sesame")
    with pytest.raises(InactiveUserError, match="Inactive user"):
        await auth.login("deactivated", "open sesame")
    await auth.login("active", "open sesame")


async def test_no_password_matches_the_hash_of_nobody(auth: AuthService) -> None:
    for password in ("", "\0", "password", "x" * 1024):
        with pytest.raises(InvalidCredentialsError):
            await auth.login("nobody", password)


async def test_a_refused_login_is_logged_without_name_and_password(
    auth: AuthService, alice: TokenPair, caplog: pytest.LogCaptureFixture
) -> None:
    """AUTH-5: people type passwords into the wrong field."""
    with caplog.at_level(logging.DEBUG, "bedplate"), pytest.raises(InvalidCredentialsError):
        await auth.login("my secret password", "wonderlnad", client=Client(address="192.0.2.7"))
    assert any("login refused" in message and "192.0.2.7" in message for message in caplog.messages)
    for secret in ("my secret password", "wonderlnad"):
        assert secret not in caplog.text


async def test_logins_are_counted_by_outcome(auth: AuthService, alice: TokenPair, telemetry: TelemetryService) -> None:
    for _ in range(2):
        with pytest.raises(InvalidCredentialsError):
            await auth.login("alice", "wrong")
    exposition = telemetry.exposition().decode()
    assert 'bedplate_auth_logins_total{outcome="success"} 1.0' in exposition
    assert 'bedplate_auth_logins_total{outcome="invalid_credentials"} 2.0' in exposition
