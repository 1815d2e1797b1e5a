"""AUTH-6, ALL-4: sign-up, names, rights, and the superuser who must remain."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from bedplate.services.auth import AuthService, Method, Principal, User, UserChanges
from bedplate.services.auth.errors import (
    InvalidPasswordError,
    InvalidUsernameError,
    LastSuperuserError,
    NotAllowedError,
    OwnAccountError,
    SamePasswordError,
    SignUpClosedError,
    UsernameTakenError,
    UserNotFoundError,
    WaitingForApprovalError,
)
from bedplate.services.errors import InvalidInputError, TooLargeError

Enter = Callable[[str, str], Awaitable[Principal]]
MakeAuth = Callable[..., Awaitable[AuthService]]


@pytest.fixture
async def bob(auth: AuthService, enter: Enter) -> Principal:
    await auth.users.sign_up("bob", "builder")
    return await enter("bob", "builder")


async def test_by_default_who_signs_up_waits_for_approval(make_auth: MakeAuth) -> None:
    """AUTH-6: anyone may sign up, nobody is let in before a superuser activates the account."""
    auth = await make_auth()
    user = await auth.users.sign_up("alice", "wonderland", optins={"github_starred": False})
    assert (user.is_active, user.is_superuser, user.optins) == (False, False, {"github_starred": False})
    with pytest.raises(WaitingForApprovalError):
        await auth.login("alice", "wonderland")
    await auth.create_superuser("root", "root's password")
    root = Principal(user=(await auth.login("root", "root's password")).user, method=Method.ACCESS_TOKEN)
    await auth.users.update(root, user.id, UserChanges(is_active=True))
    await auth.login("alice", "wonderland")


async def test_sign_up_can_be_open_or_closed(make_auth: MakeAuth) -> None:
    """AUTH-6: a setting; a superuser can make accounts even so."""
    opened = await make_auth(sign_up="open")
    assert (await opened.users.sign_up("alice", "wonderland")).is_active
    closed = await make_auth(sign_up="closed")
    with pytest.raises(SignUpClosedError):
        await closed.users.sign_up("bob", "builder")
    await closed.create_superuser("root", "root's password")
    user = (await closed.login("root", "root's password")).user
    root = Principal(user=user, method=Method.ACCESS_TOKEN)
    assert (await closed.users.create(root, "bob", "builder")).is_active


async def test_names_that_differ_in_case_or_form_only_are_one(auth: AuthService, bob: Principal) -> None:
    """AUTH-6: usernames are unique without case, kept as written, and log in in any case."""
    await auth.users.sign_up("Straße Ⅸ", "secret")
    for taken in ("BOB", "Bob", "ｂｏｂ", "STRASSE IX", "straße ix"):
        with pytest.raises(UsernameTakenError, match=r"This username is unavailable\."):
            await auth.users.sign_up(taken, "secret")
    assert (await auth.login("STRASSE ix", "secret")).user.username == "Straße Ⅸ"
    assert (await auth.login("BOB", "builder")).user.id == bob.user.id


async def test_of_two_who_sign_up_at_once_with_one_name_one_gets_it(make_auth: MakeAuth) -> None:
    """AUTH-6: in one process and across replicas."""
    replicas = await make_auth(sign_up="open"), await make_auth(sign_up="open", replica=True)
    answers = await asyncio.gather(
        *(replica.users.sign_up(name, "secret") for replica in replicas for name in ("alice", "Alice", "ALICE")),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, User) for answer in answers) == 1
    assert {type(answer) for answer in answers} == {User, UsernameTakenError}


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\t",
        " bob",
        "bob ",
        "x" * 151,
        "a\0b",
        "a\nb",
        "zero\u200bwidth",
        "right\u202eleft",
        "\ud800",
        "a\u2028b",
    ],
)
async def test_names_that_cannot_be_told_apart_or_stored_are_refused(auth: AuthService, name: str) -> None:
    with pytest.raises(InvalidUsernameError):
        await auth.users.sign_up(name, "secret")


@pytest.mark.parametrize("name", ["a", "alice@example.org", "Ada Lovelace", "名前", "Ñandú-1_2.3", "x" * 150, "🙂"])
async def test_ordinary_names_are_accepted(auth: AuthService, name: str) -> None:
    await auth.users.sign_up(name, "secret")
    assert (await auth.login(name, "secret")).user.username == name


async def test_a_password_must_not_be_empty(auth: AuthService, bob: Principal, root: Principal) -> None:
    """AUTH-6: at sign-up, at a change, and set by a superuser."""
    with pytest.raises(InvalidPasswordError):
        await auth.users.sign_up("alice", "")
    with pytest.raises(InvalidPasswordError):
        await auth.users.reset_password(bob, bob.user.id, SecretStr(""))
    with pytest.raises(InvalidPasswordError):
        await auth.users.update(root, bob.user.id, UserChanges(password=SecretStr("")))
    await auth.login("bob", "builder")


async def test_too_large_opt_ins_and_images_are_refused(auth: AuthService, bob: Principal) -> None:
    with pytest.raises(TooLargeError):
        await auth.users.sign_up("alice", "secret", optins={"x": "y" * 20_000})
    with pytest.raises(TooLargeError):
        await auth.users.update(bob, bob.user.id, UserChanges(profile_image="x" * 2049))
    with pytest.raises(InvalidInputError):
        await auth.users.update(bob, bob.user.id, UserChanges(profile_image="a\0b"))
    with pytest.raises(InvalidInputError):
        await auth.users.update(bob, bob.user.id, UserChanges(optins={"x": "\ud800"}))


async def test_a_user_changes_the_own_profile(auth: AuthService, bob: Principal) -> None:
    changes = UserChanges(username="Bobby", profile_image="Space/046.svg", optins={"discord_clicked": True})
    user = await auth.users.update(bob, bob.user.id, changes)
    assert (user.username, user.profile_image, user.optins) == ("Bobby", "Space/046.svg", {"discord_clicked": True})
    assert await auth.users.get(bob.user.id) == user
    await auth.login("bobby", "builder")
    # One's own name in another case is not taken by oneself.
    assert (await auth.users.update(bob, bob.user.id, UserChanges(username="BOBBY"))).username == "BOBBY"


async def test_no_changes_move_the_time_of_the_last_change(auth: AuthService, bob: Principal) -> None:
    user = await auth.users.update(bob, bob.user.id, UserChanges())
    assert user.updated_at > bob.user.updated_at
    assert (user.username, user.created_at) == (bob.user.username, bob.user.created_at)


async def test_a_taken_name_is_refused_at_a_change(auth: AuthService, bob: Principal, root: Principal) -> None:
    with pytest.raises(UsernameTakenError):
        await auth.users.update(bob, bob.user.id, UserChanges(username="ROOT", profile_image="x"))
    assert (await auth.users.get(bob.user.id)).profile_image is None


@pytest.mark.parametrize("field", ["is_superuser", "is_active"])
async def test_an_ordinary_user_cannot_change_rights(auth: AuthService, bob: Principal, field: str) -> None:
    """AUTH-6: sent back as they are, they do no harm."""
    unchanged = getattr(bob.user, field)
    with pytest.raises(NotAllowedError):
        await auth.users.update(bob, bob.user.id, UserChanges(**{field: not unchanged}))
    await auth.users.update(bob, bob.user.id, UserChanges(**{field: unchanged}))


async def test_an_ordinary_user_changes_the_password_elsewhere(auth: AuthService, bob: Principal) -> None:
    with pytest.raises(InvalidPasswordError, match="You can't change your password here"):
        await auth.users.update(bob, bob.user.id, UserChanges(password=SecretStr("new")))


async def test_another_user_is_out_of_reach(auth: AuthService, bob: Principal, root: Principal) -> None:
    """ALL-4: one answer for an account that exists and for one that does not."""
    for other in (root.user.id, uuid.uuid4()):
        with pytest.raises(NotAllowedError):
            await auth.users.update(bob, other, UserChanges(profile_image="x"))
        with pytest.raises(OwnAccountError, match="another user's password"):
            await auth.users.reset_password(bob, other, SecretStr("new"))
        with pytest.raises(NotAllowedError):
            await auth.users.delete(bob, other)
    for attempt in (auth.users.list(bob), auth.users.create(bob, "x", "y"), auth.users.delete(bob, bob.user.id)):
        with pytest.raises(NotAllowedError):
            await attempt


async def test_the_present_password_is_not_a_new_one(auth: AuthService, bob: Principal) -> None:
    with pytest.raises(SamePasswordError, match="You can't use your current password"):
        await auth.users.reset_password(bob, bob.user.id, SecretStr("builder"))
    user = await auth.users.reset_password(bob, bob.user.id, SecretStr("Builder"))
    assert user.updated_at > bob.user.updated_at


async def test_a_superuser_lists_users_in_pages(auth: AuthService, root: Principal) -> None:
    names = [(await auth.users.create(root, f"user {number}", "x")).username for number in range(5)]
    page = await auth.users.list(root, skip=1, limit=3)
    assert page.total == 6
    assert [user.username for user in page.users] == names[:3]
    assert (await auth.users.list(root, skip=100)).users == ()
    assert (await auth.users.list(root, limit=10**9)).total == 6
    with pytest.raises(InvalidInputError):
        await auth.users.list(root, skip=-1)


async def test_a_superuser_deletes_others_only(auth: AuthService, root: Principal, bob: Principal) -> None:
    key = await auth.api_keys.create(bob.user.id, "key")
    await auth.users.delete(root, bob.user.id)
    for attempt in (
        auth.users.get(bob.user.id),
        auth.users.delete(root, bob.user.id),
        auth.users.update(root, bob.user.id, UserChanges()),
        auth.users.reset_password(bob, bob.user.id, SecretStr("new")),
        auth.api_keys.create(bob.user.id, "another"),
    ):
        with pytest.raises(UserNotFoundError):
            await attempt
    assert key.key.id not in [found.id for found in await auth.api_keys.list(bob.user.id)]
    with pytest.raises(OwnAccountError, match="your own"):
        await auth.users.delete(root, root.user.id)


@pytest.mark.parametrize("changes", [{"is_active": False}, {"is_superuser": False}])
async def test_the_last_superuser_stays(auth: AuthService, root: Principal, changes: dict[str, Any]) -> None:
    """AUTH-6: neither deactivated nor demoted, until there is another who is active."""
    with pytest.raises(LastSuperuserError):
        await auth.users.update(root, root.user.id, UserChanges(**changes))
    second = await auth.users.create(root, "second", "x", is_superuser=True, is_active=False)
    with pytest.raises(LastSuperuserError):
        await auth.users.update(root, root.user.id, UserChanges(**changes))
    await auth.users.update(root, second.id, UserChanges(is_active=True))
    changed = await auth.users.update(root, root.user.id, UserChanges(**changes))
    assert not (changed.is_active and changed.is_superuser)


async def test_two_superusers_cannot_remove_each_other_at_once(
    auth: AuthService, root: Principal, enter: Enter
) -> None:
    """AUTH-6: one of the two remains, in whatever order they come."""
    await auth.users.create(root, "second", "x", is_superuser=True)
    second = await enter("second", "x")
    answers = await asyncio.gather(
        auth.users.delete(root, second.user.id),
        auth.users.update(second, root.user.id, UserChanges(is_superuser=False)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, LastSuperuserError) for answer in answers) == 1


async def test_a_demoted_superuser_is_ordinary_at_once(auth: AuthService, root: Principal, enter: Enter) -> None:
    await auth.users.create(root, "second", "x", is_superuser=True)
    second = await enter("second", "x")
    await auth.users.update(second, root.user.id, UserChanges(is_superuser=False))
    demoted = await enter("root", "root's password")
    with pytest.raises(NotAllowedError):
        await auth.users.list(demoted)
