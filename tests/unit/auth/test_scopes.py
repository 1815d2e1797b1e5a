"""AUTH-4: keys that are limited to what they are for, and to the time that they are for; AUTH-8: the policy."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.auth import AuthService, Credentials, Principal, Resource, Scope, UserChanges
from bedplate.services.auth.errors import (
    DeniedByPolicyError,
    InsufficientScopeError,
    InvalidApiKeyError,
    InvalidExpiryError,
    InvalidScopeError,
    NotAllowedError,
)
from bedplate.services.auth.scopes import covers, stored_scopes
from bedplate.services.database import DatabaseService
from bedplate.services.database.models import ApiKeyRow
from bedplate.wiring.testing.clients import Clients

Enter = Callable[[str, str], Awaitable[Principal]]
FLOW = Resource(kind="GET /api/v1/flows/{flow_id}", ids={"flow_id": "1"})


@pytest.fixture
async def bob(auth: AuthService, enter: Enter) -> Principal:
    await auth.users.sign_up("bob", "a builder")
    return await enter("bob", "a builder")


async def by_key(auth: AuthService, owner: Principal, *scopes: str, **more: Any) -> Principal:
    new = await auth.api_keys.create(owner.user.id, scopes=scopes or None, **more)
    return await auth.verify(Credentials(api_key=new.secret.get_secret_value()))


def test_write_includes_read_and_admin_all_of_its_area() -> None:
    """AUTH-4: and nothing of another area; running flows is a right of its own."""
    assert covers({Scope.FLOWS_WRITE}, Scope.FLOWS_READ)
    assert not covers({Scope.FLOWS_READ}, Scope.FLOWS_WRITE)
    assert not covers({Scope.FLOWS_WRITE}, Scope.FLOWS_RUN)
    assert not covers({Scope.FLOWS_RUN}, Scope.FLOWS_READ)
    assert covers({Scope.ACCOUNT_ADMIN}, Scope.ACCOUNT_READ)
    assert not covers({Scope.SYSTEM_ADMIN}, Scope.FLOWS_READ)


@given(st.frozensets(st.sampled_from(Scope)), st.sampled_from(Scope))
def test_a_scope_is_never_covered_by_another_area(granted: frozenset[Scope], wanted: Scope) -> None:
    """AUTH-4"""
    assert covers(None, wanted)
    assert not covers(granted, None)
    assert covers(granted, wanted) or wanted not in granted
    if covers(granted, wanted):
        assert wanted.area in {scope.area for scope in granted}


async def test_a_key_may_do_what_it_was_made_for(auth: AuthService, bob: Principal) -> None:
    """AUTH-4: and nothing else; a login and a key without scopes may do everything."""
    reader = await by_key(auth, bob, "flows:read", "files:write")
    await auth.authorize(reader, Scope.FLOWS_READ, FLOW)
    await auth.authorize(reader, Scope.FILES_READ, FLOW)
    for wanted in (Scope.FLOWS_WRITE, Scope.FLOWS_RUN, Scope.VARIABLES_READ, None):
        with pytest.raises(InsufficientScopeError) as refused:
            await auth.authorize(reader, wanted, FLOW)
        assert refused.value.fix
        for unlimited in (bob, await by_key(auth, bob)):
            await auth.authorize(unlimited, wanted, FLOW)


async def test_keys_of_before_keep_all_rights(auth: AuthService, bob: Principal, database: DatabaseService) -> None:
    """AUTH-4: a row without scopes is not limited, and one with scopes that nobody knows any more may do nothing."""
    new = await auth.api_keys.create(bob.user.id)
    async with database.session() as session:
        row = await session.get(ApiKeyRow, new.key.id)
        assert row is not None
        assert row.scopes is None
    assert stored_scopes(None) is None
    assert stored_scopes(["flows:fly"]) == frozenset()


async def test_the_list_shows_scopes_and_expiry(auth: AuthService, bob: Principal) -> None:
    """AUTH-4"""
    at = datetime(2100, 1, 1, tzinfo=UTC)
    await auth.api_keys.create(bob.user.id, scopes=["flows:run", "flows:read"], expires_at=at)
    [key] = await auth.api_keys.list(bob.user.id)
    assert key.scopes == (Scope.FLOWS_READ, Scope.FLOWS_RUN)
    assert key.expires_at == at


@pytest.mark.parametrize("scopes", [[], ["flows:fly"], ["flows"], ["*"], [""], ["flows:read", "FLOWS:READ"]])
async def test_unknown_scopes_are_refused(auth: AuthService, bob: Principal, scopes: list[str]) -> None:
    """AUTH-4: with those that there are."""
    with pytest.raises(InvalidScopeError) as refused:
        await auth.api_keys.create(bob.user.id, scopes=scopes)
    assert "flows:run" in (refused.value.fix or "")


async def test_a_key_gives_another_no_more_than_it_has(auth: AuthService, bob: Principal) -> None:
    """AUTH-4: neither rights nor time."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    maker = await by_key(auth, bob, "account:admin", "flows:write", expires_at=tomorrow)
    heir = await by_key(auth, bob, maker=maker)
    assert heir.scopes == maker.scopes
    assert heir.expires_at == tomorrow
    assert (await by_key(auth, bob, "flows:read", maker=maker)).scopes == {Scope.FLOWS_READ}
    with pytest.raises(InvalidScopeError):
        await by_key(auth, bob, "flows:run", maker=maker)
    with pytest.raises(InvalidExpiryError):
        await by_key(auth, bob, "flows:read", maker=maker, expires_at=tomorrow + timedelta(seconds=1))


async def test_a_key_is_refused_once_it_has_expired(auth: AuthService, bob: Principal) -> None:
    """AUTH-4: to the second, and nobody can make one that has."""
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False) as clock:
        new = await auth.api_keys.create(bob.user.id, expires_at=datetime(2030, 1, 2, tzinfo=UTC))
        credentials = Credentials(api_key=new.secret.get_secret_value())
        clock.move_to(datetime(2030, 1, 1, 23, 59, 59, tzinfo=UTC))
        assert (await auth.verify(credentials)).expires_at == datetime(2030, 1, 2, tzinfo=UTC)
        clock.move_to(datetime(2030, 1, 2, tzinfo=UTC))
        with pytest.raises(InvalidApiKeyError):
            await auth.verify(credentials)
        for expiry in (datetime(2030, 1, 2, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC), datetime(2031, 1, 1)):  # noqa: DTZ001 - that is the case
            with pytest.raises(InvalidExpiryError):
                await auth.api_keys.create(bob.user.id, expires_at=expiry)


async def test_a_setting_limits_the_life_of_keys(make_auth: Any) -> None:
    """AUTH-4: a key without an expiry gets the longest."""
    auth: AuthService = await make_auth(sign_up="open", api_key_max_ttl=3600)
    user = await auth.users.sign_up("carol", "a singer")
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False):
        assert (await auth.api_keys.create(user.id)).key.expires_at == datetime(2030, 1, 1, 1, tzinfo=UTC)
        with pytest.raises(InvalidExpiryError, match="01:00:00 UTC"):
            await auth.api_keys.create(user.id, expires_at=datetime(2030, 1, 1, 2, tzinfo=UTC))


async def test_a_superusers_key_is_no_superuser_without_the_scope(auth: AuthService, root: Principal) -> None:
    """AUTH-4"""
    limited = await by_key(auth, root, "account:admin")
    whole = await by_key(auth, root, "system:admin")
    user = await auth.users.sign_up("dave", "a driver")
    with pytest.raises(NotAllowedError):
        await auth.users.list(limited)
    with pytest.raises(NotAllowedError):
        await auth.users.update(limited, user.id, UserChanges(password=SecretStr("taken over")))
    assert (await auth.users.list(whole)).total == 2


class Closed:
    """No flow may be deleted, and number 13 not even be looked at."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Scope | None, Resource]] = []

    async def allows(self, principal: Principal, action: Scope | None, resource: Resource) -> bool:
        self.asked.append((principal.user.username, action, resource))
        return not resource.kind.startswith("DELETE") and resource.ids.get("flow_id") != "13"


async def test_the_policy_of_an_application_decides(make_auth: Any) -> None:
    """AUTH-8: by caller, action and resource; after the scopes."""
    policy = Closed()
    auth: AuthService = await make_auth(sign_up="open", policy=policy)
    await auth.users.sign_up("erin", "a pilot")
    pair = await auth.login("erin", "a pilot")
    erin = await auth.verify(Credentials(bearer=pair.access_token))
    await auth.authorize(erin, Scope.FLOWS_READ, FLOW)
    with pytest.raises(DeniedByPolicyError):
        await auth.authorize(erin, Scope.FLOWS_READ, Resource(kind="GET", ids={"flow_id": "13"}))
    with pytest.raises(InsufficientScopeError):
        await auth.authorize(await by_key(auth, erin, "files:read"), Scope.FLOWS_READ, FLOW)
    assert [(name, action) for name, action, _ in policy.asked] == [("erin", Scope.FLOWS_READ)] * 2


class TestPolicyOverHttp:
    async def test_it_is_asked_by_every_route(self, clients: Clients) -> None:
        """AUTH-8: overridden in the container like any service; what it forbids is not done."""
        policy = Closed()
        user = await clients.logged_in("frank")
        flow = (await user.post("/api/v1/flows/", json={"name": "x"})).json()["id"]
        clients.container.auth()._policy = policy
        answer = await user.delete(f"/api/v1/flows/{flow}")
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:bedplate:error:denied_by_policy"
        assert (await user.get(f"/api/v1/flows/{flow}")).status_code == 200
        assert policy.asked[0] == (
            "frank",
            Scope.FLOWS_WRITE,
            Resource(kind="DELETE /api/v1/flows/{flow_id}", ids={"flow_id": flow}),
        )

    def test_it_is_a_provider_of_the_container(self) -> None:
        """AUTH-8"""
        container = ApplicationContainer(policy=Singleton(Closed))
        assert isinstance(container.auth()._policy, Closed)


async def test_over_http(as_user: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    """AUTH-4: made, listed, and limited; the shapes of the contract stay."""
    body = {"name": "ci", "scopes": ["flows:read"], "expires_at": "2100-01-01T00:00:00Z"}
    made = (await as_user.post("/api/v1/api_key/", json=body)).json()
    assert made["scopes"] == ["flows:read"]
    [listed] = (await as_user.get("/api/v1/api_key/")).json()["api_keys"]
    assert (listed["scopes"], listed["expires_at"]) == (["flows:read"], "2100-01-01T00:00:00Z")
    client.headers["x-api-key"] = made["api_key"]
    assert (await client.get("/api/v1/flows/")).status_code == 200
    refused = await client.post("/api/v1/flows/", json={"name": "x"})
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:bedplate:error:insufficient_scope")
    assert (await client.post("/api/v1/api_key/", json={"name": "more"})).status_code == 403
    for wrong in ({"scopes": ["fly"]}, {"expires_at": "2001-01-01T00:00:00Z"}, {"scopes": []}):
        assert (await as_user.post("/api/v1/api_key/", json={"name": "x"} | wrong)).status_code == 400, wrong
    naive = await as_user.post("/api/v1/api_key/", json={"name": "x", "expires_at": "2100-01-01T00:00:00"})
    assert naive.status_code == 422
