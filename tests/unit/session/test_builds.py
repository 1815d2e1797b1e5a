"""Builds and transactions of runs."""

import asyncio
import uuid

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.engines.redactor import MASK, Redactor
from bedplate.services.errors import NotFoundError
from bedplate.services.session import NewBuild, NewFlow, NewTransaction
from bedplate.services.session.builds import Builds
from bedplate.services.session.flows import Flows
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService

RUN = uuid.UUID(int=1)


async def test_what_is_recorded_is_listed(builds: Builds, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """Builds are listed by vertex, transactions by page, each with what was recorded."""
    await builds.record(
        alice,
        flow_id,
        run_id=RUN,
        builds=[
            NewBuild(id="a", valid=True, data={"x": [1]}, artifacts={"y": 2}, params="ok"),
            NewBuild(id="b", valid=False, params="it failed"),
        ],
        transactions=[
            NewTransaction(vertex_id="a", status="success", target_id="b", inputs={"i": 1}, outputs={"o": 2})
        ],
    )
    await builds.record(alice, flow_id, builds=[NewBuild(id="a", valid=True, data={"x": [2]})])
    found = await builds.list(alice, flow_id)
    assert {vertex: [build.data for build in made] for vertex, made in found.items()} == {
        "a": [{"x": [1]}, {"x": [2]}],
        "b": [None],
    }
    first = found["a"][0]
    assert (first.run_id, first.artifacts, first.params, first.valid) == (RUN, {"y": 2}, "ok", True)
    assert first.timestamp.tzinfo is not None
    page = await builds.transactions(alice, flow_id)
    (transaction,) = page.items
    assert (transaction.vertex_id, transaction.target_id, transaction.inputs, transaction.outputs) == (
        "a",
        "b",
        {"i": 1},
        {"o": 2},
    )
    assert (page.total, page.pages) == (1, 1)


async def test_transactions_come_in_pages(builds: Builds, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """Pages of transactions hold the newest first."""
    for index in range(5):
        transaction = NewTransaction(vertex_id=f"{index}", status="success")
        await builds.record(alice, flow_id, transactions=[transaction])
    page = await builds.transactions(alice, flow_id, page=2, size=2)
    assert [found.vertex_id for found in page.items] == ["2", "1"]
    assert (page.total, page.pages) == (5, 3)


async def test_nothing_to_record_is_no_error(builds: Builds, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """An empty batch changes nothing."""
    await builds.record(alice, flow_id)
    assert await builds.list(alice, flow_id) == {}
    assert (await builds.transactions(alice, flow_id)).pages == 0


async def test_secrets_are_masked_before_they_are_kept(
    builds: Builds, redactor: Redactor, database: DatabaseService, alice: uuid.UUID, flow_id: uuid.UUID
) -> None:
    """Live values of secrets, and fields that are called like secrets, are masked in what is stored."""
    redactor.register("sk-live-0123456789abcdef")
    text = "the key is sk-live-0123456789abcdef."
    await builds.record(
        alice,
        flow_id,
        builds=[NewBuild(id="a", valid=True, data={"deep": [{"text": text}]}, artifacts={"t": text}, params=text)],
        transactions=[
            NewTransaction(vertex_id="a", status="error", inputs={"x": text}, outputs={"api_key": "other"}, error=text)
        ],
    )
    (build,) = (await builds.list(alice, flow_id))["a"]
    (transaction,) = (await builds.transactions(alice, flow_id)).items
    for record in (build, transaction):
        assert "sk-live" not in repr(record)
        assert MASK in repr(record)
    assert transaction.outputs == {"api_key": MASK}


@pytest.fixture
def capped(database: DatabaseService, redactor: Redactor, telemetry: TelemetryService) -> Builds:
    caps = {"max_builds_per_vertex": 3, "max_builds_per_flow": 8, "max_transactions_per_flow": 4}
    values = SettingsService(profile="test", session=caps).values.session
    return Builds(database, redactor, values, telemetry)


async def test_retention(capped: Builds, telemetry: TelemetryService, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """The newest builds of each vertex and of the flow are kept, and the newest transactions; the rest is counted."""
    for index in range(6):
        for vertex in "abcd":
            await capped.record(
                alice,
                flow_id,
                builds=[NewBuild(id=vertex, valid=True, data={"index": index})],
                transactions=[NewTransaction(vertex_id=vertex, status="success", inputs={"index": index})],
            )
    kept = {
        vertex: [build.data and build.data["index"] for build in made]
        for vertex, made in (await capped.list(alice, flow_id)).items()
    }
    assert kept == {"a": [4, 5], "b": [4, 5], "c": [4, 5], "d": [4, 5]}
    assert [found.vertex_id for found in (await capped.transactions(alice, flow_id)).items] == ["d", "c", "b", "a"]
    text = telemetry.exposition().decode()
    assert 'bedplate_session_records_dropped_total{kind="build"} 16.0' in text
    assert 'bedplate_session_records_dropped_total{kind="transaction"} 20.0' in text


async def test_retention_of_one_vertex(capped: Builds, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """One busy vertex pushes out its own old builds, not those of others."""
    await capped.record(alice, flow_id, builds=[NewBuild(id="quiet", valid=True)])
    batch = [NewBuild(id="busy", valid=True, params=f"{index}") for index in range(7)]
    await capped.record(alice, flow_id, builds=batch)
    found = await capped.list(alice, flow_id)
    assert [build.params for build in found["busy"]] == ["4", "5", "6"]
    assert len(found["quiet"]) == 1


async def test_caps_are_per_flow(capped: Builds, flows: Flows, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """Builds of one flow push out none of another."""
    other = (await flows.create(alice, NewFlow(name="other"))).id
    await capped.record(alice, other, builds=[NewBuild(id="a", valid=True)])
    for index in range(12):
        await capped.record(alice, flow_id, builds=[NewBuild(id=f"{index}", valid=True)])
    assert len(await capped.list(alice, flow_id)) == 8
    assert len(await capped.list(alice, other)) == 1


async def test_deleting(builds: Builds, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """Deleting the builds of a flow leaves its transactions."""
    await builds.record(
        alice,
        flow_id,
        builds=[NewBuild(id="a", valid=True)],
        transactions=[NewTransaction(vertex_id="a", status="success")],
    )
    await builds.delete(alice, flow_id)
    assert await builds.list(alice, flow_id) == {}
    assert (await builds.transactions(alice, flow_id)).total == 1


async def test_another_users_builds_do_not_exist(
    builds: Builds, alice: uuid.UUID, bob: uuid.UUID, flow_id: uuid.UUID
) -> None:
    """ALL-4: reading, writing and deleting builds of another user's flow is as of one that is not there."""
    await builds.record(alice, flow_id, builds=[NewBuild(id="a", valid=True)])
    for target in (flow_id, uuid.uuid4()):
        for attempt in (
            builds.record(bob, target, builds=[NewBuild(id="a", valid=True)]),
            builds.list(bob, target),
            builds.transactions(bob, target),
            builds.delete(bob, target),
        ):
            with pytest.raises(NotFoundError, match="Flow not found"):
                await attempt
    assert len((await builds.list(alice, flow_id))["a"]) == 1


async def test_many_record_at_once(builds: Builds, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """Runs that record at the same time lose nothing."""
    await asyncio.gather(
        *(builds.record(alice, flow_id, builds=[NewBuild(id=f"{index}", valid=True)]) for index in range(20))
    )
    assert len(await builds.list(alice, flow_id)) == 20


async def test_a_flow_deleted_while_it_ran(builds: Builds, flows: Flows, alice: uuid.UUID, flow_id: uuid.UUID) -> None:
    """Builds go with their flow, and recording more is an error, not a row without a flow."""
    await builds.record(alice, flow_id, builds=[NewBuild(id="a", valid=True)])
    await flows.delete(alice, flow_id)
    with pytest.raises(NotFoundError):
        await builds.record(alice, flow_id, builds=[NewBuild(id="a", valid=True)])
