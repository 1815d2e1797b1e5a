"""Calls of a remote store: what goes wrong on the way, and what never leaves (STORE-3)."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.database.models import UserRow
from bedplate.services.database.repositories.store_key import StoreKeyRepository
from bedplate.services.engines.breaker import BreakerState
from bedplate.services.errors import ConfigurationError, UnavailableError
from bedplate.services.settings import SettingsService
from bedplate.services.store import (
    Changes,
    DigestMismatchError,
    StoreKeyMissingError,
    StoreKeyRefusedError,
    StoreService,
    StoreUnavailableError,
)
from bedplate.wiring.testing.database import copy_database
from bedplate.wiring.testing.serving import serving
from bedplate.wiring.testing.store.harness import flow, named

KEY = "the-remote-key-of-a-user"
EMPTY = {"count": 0, "authorized": True, "results": []}
LIKES = {"likes_count": 1, "liked_by_user": True, "component_id": str(uuid.UUID(int=1))}
Answers = Callable[[Request], Response]


class Script:
    """A server that answers what it is told, the last answer again and again."""

    def __init__(self) -> None:
        self.answers: list[Answers | Response] = [JSONResponse(EMPTY)]
        self.requests: list[Request] = []
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=methods)])

    def say(self, *answers: Answers | Response) -> None:
        self.answers = list(answers)

    async def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, Response) else answer(request)


class Remote(msgspec.Struct):
    """A store whose remote side is scripted, and a user with a key."""

    store: StoreService
    script: Script
    user: uuid.UUID
    container: ApplicationContainer


@pytest.fixture
def values() -> dict[str, Any]:
    return {"remote_retry_delay": 0.0}


@pytest.fixture
async def remote(tmp_path: Path, migrated_database: Path, values: dict[str, Any]) -> AsyncIterator[Remote]:
    copy_database(migrated_database, tmp_path)
    script = Script()
    async with serving(script.app, lifespan=False) as url:
        given = {"backend": "remote", "remote_url": url, **values}
        settings = Singleton(SettingsService, profile="test", data_dir=tmp_path, store=given)
        container = ApplicationContainer(settings=settings)
        async with container.running(container.store):
            row = UserRow(username="ann", username_key="ann", password_hash="not-a-hash")
            async with container.database().transaction() as session:
                session.add(row)
            await container.store().save_key(row.id, SecretStr(KEY))
            yield Remote(container.store(), script, row.id, container)


def _down(status: int = 503, **headers: str) -> Response:
    return Response(status_code=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_what_may_be_repeated_is(remote: Remote) -> None:
    """STORE-3: reads, and changes that are the same however often they are made."""
    remote.script.say(_down(503), _down(502), JSONResponse(EMPTY))
    assert (await remote.store.search(remote.user)).total == 0
    assert len(remote.script.requests) == 3
    remote.script.say(_down(500), JSONResponse(LIKES))
    assert (await remote.store.like(remote.user, uuid.UUID(int=1))).liked
    assert [request.method for request in remote.script.requests[3:]] == ["PUT", "PUT"]


async def test_what_may_have_been_done_is_not_done_twice(remote: Remote) -> None:
    """STORE-3: a publication that got no answer is reported, not made again; nor is a like that goes back and forth."""
    for status in (500, 502, 503, 504):
        remote.script.say(_down(status))
        for call in (
            remote.store.publish(remote.user, named("x")),
            remote.store.toggle_like(remote.user, uuid.UUID(int=1)),
        ):
            remote.script.requests.clear()
            with pytest.raises(StoreUnavailableError):
                await call
            assert [request.method for request in remote.script.requests] == ["POST"]
            remote.store._store._client.breaker._succeed()  # type: ignore[attr-defined]  # of the backend in use


class TestPatience:
    """What the remote store says of when to come back."""

    @pytest.fixture
    def values(self) -> dict[str, Any]:
        return {"remote_retries": 1, "remote_retry_delay": 0.0}

    async def test_retry_after_is_passed_on(self, remote: Remote) -> None:
        """STORE-3: to whoever asked, and heeded before the next attempt."""
        remote.script.say(_down(503, retry_after="0"), _down(503, retry_after="42"))
        with pytest.raises(StoreUnavailableError) as caught:
            await remote.store.search(remote.user)
        assert caught.value.retry_after == 42
        assert len(remote.script.requests) == 2
        for text, seconds in (("Fri, 31 Dec 1999 23:59:59 GMT", 5.0), ("soon", 5.0), ("-1", 5.0), ("nan", 5.0)):
            remote.script.say(_down(503, retry_after=text))
            with pytest.raises(StoreUnavailableError) as caught:
                await remote.store.search(remote.user)
            assert caught.value.retry_after == seconds, text
            remote.store._store._client.breaker._succeed()  # type: ignore[attr-defined]  # of the backend in use
        remote.script.say(_down(429, retry_after="0"), JSONResponse(LIKES))
        assert (await remote.store.toggle_like(remote.user, uuid.UUID(int=1))).liked, "429: it was not done"


class TestBreaker:
    """A remote store that keeps failing is left alone."""

    @pytest.fixture
    def values(self) -> dict[str, Any]:
        return {"remote_retries": 0, "remote_failures": 2, "remote_reset_after": 30.0}

    async def test_it_is_not_asked_for_a_while(self, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
        """STORE-3: and the health of the service says so; a trial that works ends it."""
        breaker = remote.store._store._client.breaker  # type: ignore[attr-defined]  # of the backend in use
        now = 1000.0
        monkeypatch.setattr(breaker, "_clock", lambda: now)
        remote.script.say(_down())
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                await remote.store.search(remote.user)
        assert breaker.state is BreakerState.OPEN
        health = await remote.store.health()
        assert (health.status, health.reason) == ("degraded", "the remote store failed 2 times in a row")
        with pytest.raises(StoreUnavailableError) as caught:
            await remote.store.search(remote.user)
        assert (caught.value.retry_after, len(remote.script.requests)) == (30.0, 2)
        assert (await remote.store.local.search(remote.user)).total == 0
        now += 30.0
        remote.script.say(JSONResponse(EMPTY))
        await remote.store.search(remote.user)
        assert (await remote.store.health()).status == "up"


class TestSlow:
    """A remote store that hangs, or never ends."""

    @pytest.fixture
    def values(self) -> dict[str, Any]:
        return {"remote_timeout": 0.05, "remote_total_timeout": 0.4, "remote_retries": 1}

    async def test_it_is_not_waited_for(self, remote: Remote) -> None:
        """STORE-3: a page once hung with the store; neither silence nor a trickle without end is waited for."""

        async def silence() -> AsyncIterator[bytes]:
            yield b"["
            await asyncio.Event().wait()

        async def trickle() -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.01)

        for body in (silence, trickle):
            remote.script.say(lambda _request, body=body: StreamingResponse(body()))
            with pytest.raises(StoreUnavailableError):
                await remote.store.search(remote.user)


class TestLarge:
    """More than fits."""

    @pytest.fixture
    def values(self) -> dict[str, Any]:
        return {"remote_max_bytes": 10_000, "remote_retries": 0}

    async def test_an_answer_without_end_is_not_read(self, remote: Remote) -> None:
        """STORE-3."""
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 100_000
                yield b" " * 100_000
                await asyncio.sleep(0)

        remote.script.say(lambda _request: StreamingResponse(endless()))
        with pytest.raises(StoreUnavailableError, match="more than 10000 bytes"):
            await remote.store.search(remote.user)
        assert sent < 50_000_000


@pytest.mark.parametrize(
    "answer",
    [
        Response("<html>suspended</html>", media_type="text/html"),
        JSONResponse([]),
        JSONResponse({"count": 1}),
        JSONResponse({"count": "many", "results": []}),
        JSONResponse({"count": 1, "results": [{"id": "no id"}]}),
        Response(status_code=302, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
    ],
    ids=["html", "list", "no results", "no number", "no component", "redirect"],
)
async def test_what_is_no_answer_of_a_store(remote: Remote, answer: Response) -> None:
    """STORE-3: is an error of the store's, not of the caller's; and keys go nowhere but where they belong."""
    remote.script.say(answer)
    with pytest.raises(StoreUnavailableError):
        await remote.store.search(remote.user)


async def test_answers_are_used_again_while_they_hold(remote: Remote, tmp_path: Path) -> None:
    """STORE-3: by the user who got them, and by no other."""
    found = {"count": 5, "authorized": True, "results": []}

    def conditional(request: Request) -> Response:
        if request.headers.get("if-none-match") == '"one"':
            return Response(status_code=304, headers={"ETag": '"one"'})
        return JSONResponse(found, headers={"ETag": '"one"'})

    remote.script.say(conditional)
    assert [(await remote.store.search(remote.user)).total for _ in range(3)] == [5, 5, 5]
    asked = [request.headers.get("if-none-match") for request in remote.script.requests]
    assert asked == [None, '"one"', '"one"']
    other = UserRow(username="ben", username_key="ben", password_hash="not-a-hash")
    async with remote.container.database().transaction() as session:
        session.add(other)
    await remote.store.save_key(other.id, SecretStr("another-key"))
    await remote.store.search(other.id)
    assert remote.script.requests[-1].headers.get("if-none-match") is None
    remote.script.say(JSONResponse(found | {"count": 6}, headers={"ETag": '"two"'}))
    assert (await remote.store.search(remote.user)).total == 6


async def test_connections_are_used_again(remote: Remote) -> None:
    """STORE-3: each call once made a client of its own."""
    for _ in range(5):
        await remote.store.search(remote.user)
    assert len({request.client.port for request in remote.script.requests if request.client}) == 1


async def test_a_key_that_cannot_be_decrypted_is_never_sent(remote: Remote) -> None:
    """STORE-3: once, its ciphertext was sent as the key."""
    async with remote.container.database().transaction() as session:
        stored = await StoreKeyRepository(session).get(remote.user)
        assert stored
        await StoreKeyRepository(session).set(remote.user, stored[:-6] + "AAAA==")
    for call in (
        remote.store.search(remote.user),
        remote.store.publish(remote.user, named("x")),
        remote.store.liked(remote.user),
    ):
        with pytest.raises(Exception, match="Failed to decrypt"):
            await call
    assert not (await remote.store.key_status(remote.user)).valid
    assert remote.script.requests == []


async def test_without_a_key_nothing_is_sent(remote: Remote) -> None:
    """STORE-3."""
    await remote.store.delete_key(remote.user)
    for call in (remote.store.search(remote.user), remote.store.publish(remote.user, named("x"))):
        with pytest.raises(StoreKeyMissingError):
            await call
    assert remote.script.requests == []


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_refused(remote: Remote, status: int, caplog: pytest.LogCaptureFixture) -> None:
    """STORE-3: is told apart from all else that can go wrong, which the check of keys once hid."""
    remote.script.say(JSONResponse({"detail": "no"}, status_code=status))
    with pytest.raises(StoreKeyRefusedError) as caught:
        await remote.store.search(remote.user)
    assert KEY not in str(caught.value) + caplog.text
    assert not (await remote.store.key_status(remote.user)).valid
    remote.script.say(_down(500))
    with pytest.raises(StoreUnavailableError):
        await remote.store.key_status(remote.user)
    remote.script.say(JSONResponse({"has_api_key": True, "is_valid": True}))
    assert (await remote.store.key_status(remote.user)).valid


async def test_a_document_that_changed_on_its_way_is_not_given(remote: Remote) -> None:
    """STORE-2, STORE-3."""
    got = {"id": str(uuid.UUID(int=1)), "name": "x", "description": None, "data": flow(), "is_component": False}
    remote.script.say(JSONResponse(got | {"metadata": {}, "version": "1.0.0", "digest": "0" * 64}))
    with pytest.raises(DigestMismatchError):
        await remote.store.download(remote.user, uuid.UUID(int=1))


async def test_refusals_in_other_words(remote: Remote) -> None:
    """STORE-3: whatever a store that is no Bedplate answers, it is a typed error without a stranger's text in it."""
    expected: Mapping[int, str] = {400: "invalid", 404: "not_found", 409: "limit", 413: "too_large", 418: "invalid"}
    for status, code in expected.items():
        remote.script.say(JSONResponse({"message": "secret of the other side"}, status_code=status))
        with pytest.raises(Exception, match=r"remote store refuses|not found") as caught:
            await remote.store.update(remote.user, uuid.UUID(int=1), Changes(name="y"))
        assert code in caught.value.code  # type: ignore[attr-defined]  # one of ours
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", [None, "", "store.example", "ftp://store.example", "http://", "http://u:p@store.example", "http://x:99999"]
)
@pytest.mark.parametrize("backend", ["remote", "directus"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, backend: str, url: str | None) -> None:
    """ALL-2: before anything starts, by the name of the setting, without what might be a password."""
    store = {"backend": backend, "remote_url": url}
    settings = Singleton(SettingsService, profile="test", data_dir=tmp_path, store=store)
    container = ApplicationContainer(settings=settings)
    with pytest.raises(ConfigurationError, match="BEDPLATE_STORE__REMOTE_URL") as caught:
        container.store()
    assert "u:p" not in str(caught.value)


async def test_nobody_listens(tmp_path: Path, migrated_database: Path) -> None:
    """STORE-3: one clear error, soon, also for what may not be repeated; the local catalogue works on."""
    copy_database(migrated_database, tmp_path)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        store = {"backend": "remote", "remote_url": url, "remote_retry_delay": 0.0}
        container = ApplicationContainer(
            settings=Singleton(SettingsService, profile="test", data_dir=tmp_path, store=store)
        )
        async with container.running(container.store):
            row = UserRow(username="ann", username_key="ann", password_hash="not-a-hash")
            async with container.database().transaction() as session:
                session.add(row)
            service = container.store()
            await service.save_key(row.id, SecretStr(KEY))
            for call in (service.search(row.id), service.publish(row.id, named("x")), service.tags()):
                with pytest.raises(UnavailableError, match="local catalogue still works"):
                    await call
            made = await service.local.publish(row.id, named("x"))
            assert (await service.local.download(row.id, made.id)).data == flow("x")
