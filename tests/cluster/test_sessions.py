"""Two replicas over one PostgreSQL database and one Valkey server: who was let go is let go on both, at once."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
from dependency_injector.providers import Object
from pydantic import SecretStr

from bedplate.containers import ApplicationContainer
from bedplate.services.auth import Credentials
from bedplate.services.auth.errors import AuthError
from bedplate.services.auth.models import UserChanges
from bedplate.services.session.errors import SessionBusyError, SessionNotFoundError
from bedplate.services.session.models import NewFlow
from bedplate.services.session.runner import FlowDocument
from bedplate.services.settings import SettingsService

SECRET_KEY = "a-secret-key-of-the-replicas-0123456789abcdef"
FLOW = Path(__file__).parents[2] / "examples" / "flows" / "two_opinions.json"
PASSWORD = "correct horse battery staple"

Start = Callable[..., Awaitable[ApplicationContainer]]


@pytest.fixture
async def start(tmp_path: Path, migrated_postgres: str, valkey_url: str) -> AsyncIterator[Start]:
    """Starts the auth and session services of a replica, with everything that it needs of its own."""
    async with AsyncExitStack() as stack:

        async def start(**more: dict[str, Any]) -> ApplicationContainer:
            settings = SettingsService(
                profile="test",
                data_dir=tmp_path / uuid.uuid4().hex,
                secret_key=SECRET_KEY,
                database={"backend": "postgres", "url": migrated_postgres},
                redis={"url": valkey_url},
                cache={"backend": "two_tier"},
                shared_component_cache={"backend": "redis"},
                auth={"sign_up": "open", "throttle": "redis"},
                **more,
            )
            container = ApplicationContainer(settings=Object(settings))
            await stack.enter_async_context(container.running(container.auth, container.session))
            return container

        yield start


async def is_refused(container: ApplicationContainer, credentials: Credentials) -> bool:
    try:
        await container.auth().verify(credentials)
    except AuthError:
        return True
    return False


async def test_who_is_let_go_on_one_replica_is_let_go_on_the_others(start: Start) -> None:
    """AUTH-3, AUTH-4: at once, also where the other one has just let them in."""
    here, there = await start(), await start()
    auth = here.auth()
    await auth.create_superuser("root", PASSWORD)
    root = await auth.verify(Credentials(bearer=(await auth.login("root", PASSWORD)).access_token))
    for how in ("logout", "session", "key", "key off", "password", "deactivated"):
        user = await auth.users.sign_up(f"alice of {how}", PASSWORD)
        token = (await auth.login(user.username, PASSWORD)).access_token
        made = await auth.api_keys.create(user.id, "a key")
        bearer, key = Credentials(bearer=token), Credentials(api_key=made.secret.get_secret_value())
        credentials = key if how.startswith("key") else bearer
        for _ in range(3):
            assert (await there.auth().verify(credentials)).user.id == user.id
        match how:
            case "logout":
                assert await auth.logout(token)
            case "session":
                principal = await auth.verify(bearer)
                assert principal.session_id is not None
                await auth.sessions.revoke(root, principal.session_id, user.id)
            case "key":
                await auth.api_keys.delete(user.id, made.key.id)
            case "key off":
                await auth.api_keys.update(user.id, made.key.id, is_active=False)
            case "password":
                await auth.users.update(root, user.id, UserChanges(password=SecretStr("another wonderland")))
            case _:
                await auth.users.update(root, user.id, UserChanges(is_active=False))
                assert await is_refused(there, key)
        assert await is_refused(there, credentials), how


@pytest.fixture
def document() -> dict[str, Any]:
    data = orjson.loads(FLOW.read_bytes())["data"]
    assert isinstance(data, dict)
    return data


async def test_a_session_goes_on_where_its_next_run_is(start: Start, document: dict[str, Any]) -> None:
    """SES-4: what one replica began, another goes on with, also after a restart of all of them."""
    here, there = await start(), await start()
    user = await here.auth().users.sign_up("alice", PASSWORD)
    flow = await here.session().flows.create(user.id, NewFlow(name="flow", data=document))
    begun = await here.session().touch(await here.session().open(user.id, flow.id, "chat"))
    await here.session().finish(begun)
    graph = await here.session().prepare(begun, document)
    assert graph == FlowDocument.parse(document)
    place = (user.id, flow.id, "chat", "vertex", "version")
    assert await here.session().results.put(*place, {"out": (1, 2)})

    went_on = await there.session().open(user.id, flow.id, "chat")
    assert (went_on.id, went_on.runs) == (begun.id, 1)
    assert await there.session().prepare(went_on, document) == graph
    assert there.cache().namespace("session.graphs").stats().loads == 0, "the graph was prepared once for both"
    assert await there.session().results.get(*place) == {"out": (1, 2)}

    await there.session().rename(user.id, "chat", "renamed")
    assert (await here.session().get(user.id, flow.id, "renamed")).id == begun.id
    assert await is_forgotten(here, *place), "what its frozen vertices gave is gone in the memory of all"

    later = await start()
    assert [one.id for one in await later.session().list(user.id)] == [begun.id]
    assert await later.session().prepare(await later.session().open(user.id, flow.id, "renamed"), document) == graph
    assert later.cache().namespace("session.graphs").stats().loads == 0
    await later.session().delete(user.id, "renamed")
    for replica in (here, there):
        with pytest.raises(SessionNotFoundError):
            await replica.session().get(user.id, flow.id, "renamed")


async def is_forgotten(container: ApplicationContainer, *place: Any) -> bool:
    """Whether a result is gone as soon as the news of it are there."""
    async with asyncio.timeout(30):
        while await container.session().results.get(*place) is not None:  # noqa: ASYNC110 - another connection brings it
            await asyncio.sleep(0.001)
    return True


async def test_a_turn_on_one_replica_is_one_on_all(start: Start, document: dict[str, Any]) -> None:
    """SES-4: under reject, the second run of a session is refused wherever it comes; afterwards it may begin."""
    here, there = await start(session={"run_policy": "reject"}), await start(session={"run_policy": "reject"})
    user = await here.auth().users.sign_up("alice", PASSWORD)
    flow = await here.session().flows.create(user.id, NewFlow(name="flow", data=document))
    opened = await here.session().open(user.id, flow.id, "chat")
    async with here.session().turns.turn(opened):
        with pytest.raises(SessionBusyError):
            async with there.session().turns.turn(opened):
                pass
        with pytest.raises(SessionBusyError):
            await there.session().turns.require_free(opened)
    async with there.session().turns.turn(opened):
        pass
