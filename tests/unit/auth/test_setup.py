"""AUTH-6: how the first superuser comes to be, and that nobody else does."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import time_machine

from bedplate.services.auth import AuthService, Credentials, Method, Principal, TokenPair, User, UserChanges
from bedplate.services.auth.errors import (
    InvalidCredentialsError,
    InvalidPasswordError,
    InvalidSetupTokenError,
    InvalidUsernameError,
    SetupCompletedError,
    UsernameTakenError,
)
from bedplate.services.auth.setup import SetupToken
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import SetupTokenRow, UserRow
from bedplate.services.database.repositories.user import UserRepository
from bedplate.services.errors import ConfigurationError
from bedplate.wiring.testing.cancellation import ends_cancelled

MakeAuth = Callable[..., Awaitable[AuthService]]
PASSWORD = "root's password"


async def link(auth: AuthService) -> str:
    token = await auth.setup_token()
    assert isinstance(token, SetupToken)
    return token.secret.get_secret_value()


async def superusers(auth: AuthService) -> list[User]:
    """All superusers; makes one more, who looks."""
    looking = await auth.create_superuser("looking", PASSWORD)
    viewer = Principal(user=looking, method=Method.ACCESS_TOKEN)
    users = (await auth.users.list(viewer, limit=1000)).users
    return [user for user in users if user.is_superuser and user.id != looking.id]


@pytest.mark.parametrize("name", ["admin", "root", "langflow", "superuser", "bedplate", ""])
async def test_there_is_no_default_account(auth: AuthService, name: str) -> None:
    """AUTH-6: a new installation has no user at all."""
    assert await auth.setup_needed()
    for password in ("", name, "admin", "password", "langflow"):
        with pytest.raises(InvalidCredentialsError):
            await auth.login(name, password)
    assert await superusers(auth) == []


@pytest.mark.postgres
async def test_replicas_that_start_at_once_make_one_link(auth: AuthService, monkeypatch: pytest.MonkeyPatch) -> None:
    """AUTH-6: the last one made is good, and none of the others stops its replica."""
    looked, has_superuser = asyncio.Barrier(4), UserRepository.has_superuser

    async def all_look(self: UserRepository) -> bool:
        found = await has_superuser(self)
        await looked.wait()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(UserRepository, "has_superuser", all_look)
        links = await asyncio.gather(*(link(auth) for _ in range(4)))
    good = []
    for one in links:
        with contextlib.suppress(InvalidSetupTokenError):
            await auth.check_setup_token(one)
            good.append(one)
    assert len(good) == 1


async def test_the_link_makes_the_first_superuser_once(auth: AuthService) -> None:
    """AUTH-6: one-time; afterwards there is neither a link nor a use for an old one."""
    token = await link(auth)
    await auth.check_setup_token(token)
    user = await auth.complete_setup(token, "root", PASSWORD)
    assert (user.is_superuser, user.is_active) == (True, True)
    assert (await auth.login("root", PASSWORD)).user.id == user.id
    assert not await auth.setup_needed()
    assert await auth.setup_token() is None
    for attempt in (auth.check_setup_token(token), auth.complete_setup(token, "second", PASSWORD)):
        with pytest.raises(SetupCompletedError):
            await attempt


async def test_the_link_is_valid_for_thirty_minutes(auth: AuthService) -> None:
    """AUTH-6"""
    with time_machine.travel("2030-01-01", tick=False) as clock:
        token = await link(auth)
        clock.shift(30 * 60 - 1)
        await auth.check_setup_token(token)
        clock.shift(1)
        for attempt in (auth.check_setup_token(token), auth.complete_setup(token, "root", PASSWORD)):
            with pytest.raises(InvalidSetupTokenError):
                await attempt
    assert await auth.setup_needed()


async def test_each_start_makes_a_new_link_which_any_replica_takes(make_auth: MakeAuth) -> None:
    """AUTH-6: the newest counts."""
    first, second = await make_auth(), await make_auth(replica=True)
    old, new = await link(first), await link(second)
    assert old != new
    with pytest.raises(InvalidSetupTokenError):
        await second.complete_setup(old, "root", PASSWORD)
    await first.complete_setup(new, "root", PASSWORD)


async def test_only_the_hash_of_the_token_is_stored(auth: AuthService, database: DatabaseService) -> None:
    """AUTH-6"""
    token = await link(auth)
    async with database.session() as session:
        row = await session.get(SetupTokenRow, 1)
    assert row is not None
    assert token not in str(row.model_dump())
    with pytest.raises(InvalidSetupTokenError):
        await auth.complete_setup(row.token_hash, "root", PASSWORD)


@pytest.mark.parametrize("token", ["", "x", "\ud800", "x" * 100_000])
async def test_a_wrong_token_makes_nobody(auth: AuthService, token: str) -> None:
    await link(auth)
    with pytest.raises(InvalidSetupTokenError) as refused:
        await auth.complete_setup(token, "root", PASSWORD)
    assert len(token) < 2 or token not in str(refused.value)
    assert await superusers(auth) == []


async def test_without_a_link_there_is_no_token_to_guess(auth: AuthService) -> None:
    for token in ("", "None"):
        with pytest.raises(InvalidSetupTokenError):
            await auth.complete_setup(token, "root", PASSWORD)


async def test_a_mistake_does_not_use_the_link_up(auth: AuthService, alice: TokenPair) -> None:
    token = await link(auth)
    with pytest.raises(InvalidPasswordError):
        await auth.complete_setup(token, "root", "")
    with pytest.raises(InvalidUsernameError):
        await auth.complete_setup(token, " ", PASSWORD)
    with pytest.raises(UsernameTakenError):
        await auth.complete_setup(token, "ALICE", PASSWORD)
    await auth.complete_setup(token, "root", PASSWORD)


async def test_of_several_who_use_the_link_at_once_one_succeeds(make_auth: MakeAuth) -> None:
    """AUTH-6: race-safe, across replicas too."""
    replicas = await make_auth(), await make_auth(replica=True)
    token = await link(replicas[0])
    answers = await asyncio.gather(
        *(replicas[number % 2].complete_setup(token, f"root {number}", PASSWORD) for number in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, User) for answer in answers) == 1
    assert {type(answer) for answer in answers} <= {User, InvalidSetupTokenError, SetupCompletedError}
    assert len(await superusers(replicas[0])) == 1


async def test_a_superuser_made_elsewhere_closes_the_link(auth: AuthService) -> None:
    """AUTH-6: by the command line, while the link is open."""
    token = await link(auth)
    await auth.create_superuser("root", PASSWORD)
    with pytest.raises(SetupCompletedError):
        await auth.complete_setup(token, "second", PASSWORD)


async def test_a_superuser_made_while_the_link_is_being_used_wins(
    auth: AuthService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUTH-6: between the first look at the token and the account, others may be faster."""
    token = await link(auth)
    drafted, go_on = asyncio.Event(), asyncio.Event()
    accounts = auth._setup._accounts
    draft = accounts.draft

    async def draft_and_wait(username: str, password: str) -> UserRow:
        row = await draft(username, password)
        if username == "late":
            drafted.set()
            await go_on.wait()
        return row

    monkeypatch.setattr(accounts, "draft", draft_and_wait)
    late = asyncio.create_task(auth.complete_setup(token, "late", PASSWORD))
    await drafted.wait()
    await auth.create_superuser("first", PASSWORD)
    go_on.set()
    with pytest.raises(InvalidSetupTokenError):
        await late
    assert [user.username for user in await superusers(auth)] == ["first"]


async def test_a_set_up_cancelled_at_any_await_can_be_done_again(auth: AuthService) -> None:
    """ALL-1, AUTH-6: it has happened, or the link is still good."""
    for number in range(1, 200):
        token = await link(auth) if await auth.setup_needed() else ""
        if not await ends_cancelled({number}, auth.complete_setup(token, "root", PASSWORD)):
            break
        if not await auth.setup_needed():
            await auth.login("root", PASSWORD)
            return
        await auth.check_setup_token(token)
    assert number > 2
    await auth.login("root", PASSWORD)


async def test_the_command_line_makes_superusers(auth: AuthService, alice: TokenPair) -> None:
    """AUTH-6"""
    first = await auth.create_superuser("root", PASSWORD)
    second = await auth.create_superuser("second", PASSWORD)
    assert first.is_superuser
    assert second.is_active
    with pytest.raises(UsernameTakenError):
        await auth.create_superuser("Alice", PASSWORD)
    assert not (await auth.verify(Credentials(bearer=alice.access_token))).user.is_superuser


async def test_the_settings_make_the_superuser_where_there_is_none(make_auth: MakeAuth, tmp_path: Path) -> None:
    """AUTH-6: from BEDPLATE_AUTH__SUPERUSER with a password or a file that holds it, once."""
    auth = await make_auth(superuser="root", superuser_password=PASSWORD)
    root = (await auth.login("root", PASSWORD)).user
    assert root.is_superuser
    file = tmp_path / "password"
    file.write_text("another password\n")
    again = await make_auth(superuser="second", superuser_password_file=str(file))
    with pytest.raises(InvalidCredentialsError):
        await again.login("second", "another password")
    await again.login("root", PASSWORD)  # its password is not touched either


async def test_the_password_may_stand_in_a_file(make_auth: MakeAuth, tmp_path: Path) -> None:
    """AUTH-6: as secrets are mounted; the line's end is not part of it."""
    file = tmp_path / "password"
    file.write_text(" spaces count \r\n")
    auth = await make_auth(superuser="root", superuser_password_file=str(file))
    await auth.login("root", " spaces count ")


async def test_replicas_that_start_at_once_make_one_superuser(make_auth: MakeAuth) -> None:
    """AUTH-6: race-safe."""
    replicas = await asyncio.gather(
        *(make_auth(superuser="root", superuser_password=PASSWORD, replica=True) for _ in range(5))
    )
    assert len(await superusers(replicas[0])) == 1


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "has no password"),
        ({"superuser_password": PASSWORD, "superuser_password_file": "file"}, "has two passwords"),
        ({"superuser_password_file": "missing"}, "cannot be read"),
        ({"superuser_password_file": "binary"}, "cannot be read"),
        ({"superuser_password_file": "."}, "cannot be read"),
        ({"superuser_password_file": "empty"}, "must not be empty"),
        ({"superuser_password": PASSWORD, "superuser": " "}, "must not be empty"),
    ],
)
async def test_wrong_settings_stop_the_start_with_the_fix(
    make_auth: MakeAuth, tmp_path: Path, options: dict[str, str], what: str
) -> None:
    """AUTH-6: named, with the setting to correct, and without the password."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").write_text("\n")
    if "superuser_password_file" in options:
        options = options | {"superuser_password_file": str(tmp_path / options["superuser_password_file"])}
    with pytest.raises(ConfigurationError, match=what) as refused:
        await make_auth(**{"superuser": "root"} | options)
    assert "BEDPLATE_AUTH__SUPERUSER" in str(refused.value)
    assert PASSWORD not in str(refused.value)


async def test_somebodys_account_is_not_made_a_superuser(make_auth: MakeAuth) -> None:
    """AUTH-6: who signs up as root before the operator sets the name does not become one."""
    auth = await make_auth(sign_up="open")
    await auth.users.sign_up("Root", "mine")
    with pytest.raises(ConfigurationError, match="no superuser"):
        await make_auth(superuser="root", superuser_password=PASSWORD)
    assert not (await auth.login("root", "mine")).user.is_superuser


async def test_a_superuser_who_is_there_makes_wrong_settings_harmless(make_auth: MakeAuth) -> None:
    await (await make_auth()).create_superuser("root", PASSWORD)
    await make_auth(superuser="second")


async def test_the_secrets_of_the_set_up_are_not_logged(make_auth: MakeAuth, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "bedplate"):
        auth = await make_auth()
        token = await auth.setup_token()
        assert token is not None
        assert token.secret.get_secret_value() not in repr(token)
        await auth.complete_setup(token.secret.get_secret_value(), "root", PASSWORD)
        await make_auth(superuser="second", superuser_password="another password")
    assert "superuser created" in caplog.text
    for secret in (token.secret.get_secret_value(), PASSWORD, "another password"):
        assert secret not in caplog.text


async def test_a_demoted_installation_cannot_be_set_up_again(auth: AuthService) -> None:
    """AUTH-6: as the last superuser stays, the link never opens a second time."""
    token = await link(auth)
    root = await auth.complete_setup(token, "root", PASSWORD)
    second = await auth.create_superuser("second", PASSWORD)
    principal = Principal(user=root, method=Method.ACCESS_TOKEN)
    await auth.users.update(principal, second.id, UserChanges(is_active=False))
    assert await auth.setup_token() is None
