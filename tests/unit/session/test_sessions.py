"""Sessions of flow execution."""

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from bedplate.services.database.repositories.flow import FlowRepository
from bedplate.services.database.repositories.flow_session import FlowSessionRepository
from bedplate.services.database.repositories.project import ProjectRepository
from bedplate.services.errors import ConflictError, InvalidInputError, NotFoundError
from bedplate.services.session import NewFlow, SessionService, SessionStatus
from bedplate.services.session.flows import Flows
from bedplate.services.session.models import NewProject
from bedplate.services.settings import SettingsService

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


async def test_a_session_is_opened_once(session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """SES-1: opening a session by a name makes it, and afterwards gives the same one."""
    opened = await session.open(alice, flow_id, "my session")
    assert (opened.session_id, opened.status, opened.runs) == ("my session", SessionStatus.IDLE, 0)
    assert await session.open(alice, flow_id, "my session") == opened
    assert await session.get(alice, flow_id, "my session") == opened


async def test_many_open_one_session_at_once(session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """SES-1: any number of callers that open the same session at once get one and the same."""
    opened = await asyncio.gather(*(session.open(alice, flow_id, "s") for _ in range(10)))
    assert len({found.id for found in opened}) == 1
    assert len(await session.list(alice)) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("what", ["session", "flow", "project"])
async def test_two_processes_make_the_same_at_once(
    session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """SES-1: none of them finds what the other is making: they get one session, and flows and projects by numbers."""
    makes: dict[str, tuple[Any, Callable[[], Awaitable[Any]]]] = {
        "session": (FlowSessionRepository, lambda: session.open(alice, flow_id, "s")),
        "flow": (FlowRepository, lambda: session.flows.create(alice, NewFlow(name="n"))),
        "project": (ProjectRepository, lambda: session.projects.create(alice, NewProject(name="n"))),
    }
    repository, make = makes[what]
    both, add, calls = asyncio.Barrier(2), repository.add, itertools.count()

    async def late(self: Any, row: Any) -> Any:
        if next(calls) < 2:
            await both.wait()
        return await add(self, row)

    monkeypatch.setattr(repository, "add", late)
    async with asyncio.timeout(60):
        made = await asyncio.gather(make(), make())
    if what == "session":
        assert made[0] == made[1]
    else:
        assert {one.name for one in made} == {"n", "n (1)"}


async def test_generated_ids_cannot_be_guessed_and_are_returned(
    session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID
) -> None:
    """SES-1: a session without a name gets one of 192 random bits, under which it is found again."""
    opened = [await session.open(alice, flow_id) for _ in range(20)]
    assert len({found.session_id for found in opened}) == 20
    assert all(len(found.session_id) >= 32 for found in opened)
    assert await session.get(alice, flow_id, opened[3].session_id) == opened[3]


@pytest.mark.parametrize("name", ["ABC123", "user@example.com / 1", "会话", str(uuid.UUID(int=7))])
async def test_ids_of_clients_are_kept(
    session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID, name: str
) -> None:
    """SES-1: whatever a client calls a session, it is called so."""
    assert (await session.open(alice, flow_id, name)).session_id == name


@pytest.mark.parametrize("name", ["", " ", "a\x00b", "a\nb", "x" * 256])
async def test_wrong_names_are_refused(
    session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID, name: str
) -> None:
    """A name that is empty, too long, or has control characters is a typed error."""
    for attempt in (
        session.open(alice, flow_id, name),
        session.rename(alice, "s", name),
        session.label(alice, flow_id, "s", name),
    ):
        with pytest.raises(InvalidInputError):
            await attempt


async def test_runs_status_and_times(session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """SES-1: a session counts its runs, knows whether one goes on and how the last one ended, and since when."""
    with time_machine.travel(NOW, tick=False) as clock:
        opened = await session.open(alice, flow_id, "s")
        clock.shift(60)
        touched = await session.touch(opened)
        assert (touched.status, touched.runs) == (SessionStatus.RUNNING, 1)
        assert (touched.started_at, touched.last_active_at) == (NOW, NOW + timedelta(minutes=1))
        clock.shift(60)
        await session.finish(touched, SessionStatus.FAILED)
        ended = await session.get(alice, flow_id, "s")
        assert (ended.status, ended.runs) == (SessionStatus.FAILED, 1)
        assert ended.last_active_at == NOW + timedelta(minutes=2)


async def test_runs_at_once(session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """SES-1: no run is lost in the count, and the session runs until the last of them has ended."""
    opened = await session.open(alice, flow_id, "s")
    await asyncio.gather(*(session.touch(opened) for _ in range(8)))
    for _ in range(7):
        await session.finish(opened)
        assert (await session.get(alice, flow_id, "s")).status == SessionStatus.RUNNING
    await session.finish(opened, SessionStatus.CANCELLED)
    ended = await session.get(alice, flow_id, "s")
    assert (ended.status, ended.runs) == (SessionStatus.CANCELLED, 8)
    assert not session._running


async def test_a_session_deleted_while_it_runs(session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """The end of a run of a deleted session is no error; its beginning is."""
    opened = await session.open(alice, flow_id, "s")
    await session.touch(opened)
    await session.delete(alice, "s")
    await session.finish(opened)
    with pytest.raises(NotFoundError):
        await session.touch(opened)
    assert not session._running


async def test_idle_sessions_expire(
    session: SessionService, settings: SettingsService, alice: uuid.UUID, flow_id: uuid.UUID
) -> None:
    """SES-1: a session without a run for longer than the setting is not there, and its row goes with the next open."""
    ttl = settings.values.session.idle_ttl
    with time_machine.travel(NOW, tick=False) as clock:
        old = await session.open(alice, flow_id, "old")
        clock.shift(ttl - 1)
        await session.open(alice, flow_id, "young")
        assert {found.session_id for found in await session.list(alice)} == {"old", "young"}
        clock.shift(2)
        assert [found.session_id for found in await session.list(alice)] == ["young"]
        with pytest.raises(NotFoundError):
            await session.get(alice, flow_id, "old")
        again = await session.open(alice, flow_id, "old")
        assert again.id != old.id
        assert again.started_at == NOW + timedelta(seconds=ttl + 1)
        assert len(await session.list(alice)) == 2


async def test_a_run_keeps_a_session_alive(
    session: SessionService, settings: SettingsService, alice: uuid.UUID, flow_id: uuid.UUID
) -> None:
    """SES-1: idle means without a run: each one puts the end off."""
    ttl = settings.values.session.idle_ttl
    with time_machine.travel(NOW, tick=False) as clock:
        opened = await session.open(alice, flow_id, "s")
        for _ in range(3):
            clock.shift(ttl - 1)
            await session.touch(opened)
            await session.finish(opened)
        assert (await session.open(alice, flow_id, "s")).id == opened.id


async def test_listing_by_user_and_flow(
    session: SessionService, flows: Flows, alice: uuid.UUID, flow_id: uuid.UUID
) -> None:
    """SES-1: sessions are listed by flow, the last active first, in parts."""
    other = (await flows.create(alice, NewFlow(name="other"))).id
    with time_machine.travel(NOW, tick=False) as clock:
        for name in "abc":
            await session.open(alice, flow_id, name)
            clock.shift(1)
        await session.open(alice, other, "a")
        clock.shift(1)
        await session.touch(await session.get(alice, flow_id, "a"))
        assert [found.session_id for found in await session.list(alice, flow_id=flow_id)] == ["a", "c", "b"]
        assert len(await session.list(alice)) == 4
        second = await session.list(alice, flow_id=flow_id, offset=1, limit=1)
        assert [found.session_id for found in second] == ["c"]


async def test_renaming(session: SessionService, flows: Flows, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """SES-1: sessions get another session id, in one flow or in all; a taken one is a conflict that changes nothing."""
    other = (await flows.create(alice, NewFlow(name="other"))).id
    opened = await session.open(alice, flow_id, "old")
    await session.open(alice, other, "old")
    await session.open(alice, flow_id, "taken")
    with pytest.raises(ConflictError):
        await session.rename(alice, "old", "taken")
    assert await session.rename(alice, "old", "taken", flow_id=other) == 1
    assert await session.rename(alice, "old", "new") == 1
    assert (await session.get(alice, flow_id, "new")).id == opened.id
    assert await session.rename(alice, "taken", "taken") == 2
    with pytest.raises(NotFoundError):
        await session.rename(alice, "old", "newer")


async def test_a_name_for_people(session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """SES-1: a session may have a name for people, which does not make it look active."""
    opened = await session.open(alice, flow_id, "s")
    labelled = await session.label(alice, flow_id, "s", "About bread")
    assert (labelled.name, labelled.session_id) == ("About bread", "s")
    assert labelled.last_active_at == opened.last_active_at
    assert (await session.label(alice, flow_id, "s", None)).name is None


async def test_deleting(session: SessionService, flows: Flows, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """SES-1: a deleted session is gone, in one flow or in all."""
    other = (await flows.create(alice, NewFlow(name="other"))).id
    for flow in (flow_id, other):
        await session.open(alice, flow, "s")
    assert await session.delete(alice, "s", flow_id=flow_id) == 1
    assert await session.delete(alice, "s") == 1
    with pytest.raises(NotFoundError):
        await session.delete(alice, "s")


async def test_sessions_go_with_their_flow(
    session: SessionService, flows: Flows, alice: uuid.UUID, flow_id: uuid.UUID
) -> None:
    """SES-1: deleting a flow deletes its sessions."""
    await session.open(alice, flow_id, "s")
    await flows.delete(alice, flow_id)
    assert await session.list(alice) == []


async def test_another_users_session_does_not_exist(
    session: SessionService, flows: Flows, alice: uuid.UUID, bob: uuid.UUID, flow_id: uuid.UUID
) -> None:
    """ALL-4: another user's sessions and flows are as if they were not there; the same name is another session."""
    hers = await session.open(alice, flow_id, "s")
    for attempt in (
        session.open(bob, flow_id, "s"),
        session.open(bob, flow_id),
        session.get(bob, flow_id, "s"),
        session.label(bob, flow_id, "s", "x"),
        session.rename(bob, "s", "mine"),
        session.delete(bob, "s"),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    assert await session.list(bob) == []
    his_flow = (await flows.create(bob, NewFlow(name="his"))).id
    his = await session.open(bob, his_flow, "s")
    assert his.id != hers.id
    assert await session.delete(bob, "s") == 1
    assert await session.get(alice, flow_id, "s") == hers


async def test_cancelled_at_any_moment(session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """Opening, touching and finishing may be cancelled anywhere: no count is left, and the next one works."""
    opened = await session.open(alice, flow_id, "s")
    for steps in range(40):
        for work in (session.open(alice, flow_id), session.touch(opened)):
            task = asyncio.create_task(work)
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and task.result().id == opened.id:
                await session.finish(opened)
    assert not session._running
    await session.finish(await session.touch(opened))
    assert (await session.get(alice, flow_id, "s")).status == SessionStatus.IDLE
