"""Flows: created, read, listed, changed and deleted by their owner alone."""

import asyncio
import uuid
from typing import Any

import pytest

from bedplate.services.database import DatabaseService
from bedplate.services.errors import ConflictError, InvalidInputError, NotFoundError, TooLargeError
from bedplate.services.session.flows import Flows
from bedplate.services.session.models import AccessType, FlowPatch, FlowQuery, NewFlow, NewProject
from bedplate.services.session.projects import DEFAULT_PROJECT, Projects
from bedplate.services.session.results import BuiltResults

DATA: dict[str, Any] = {"nodes": [{"id": "ChatInput-1", "data": {"type": "ChatInput"}}], "edges": []}


async def test_a_flow_comes_back_as_it_was_given(flows: Flows, projects: Projects, alice: uuid.UUID) -> None:
    """A created flow is in the default project and has every value that it was given."""
    made = await flows.create(
        alice,
        NewFlow(
            name="A flow",
            description="of words",
            icon=":robot:",
            icon_bg_color="#a1B2c3",
            data=DATA,
            endpoint_name="a-flow",
            tags=["x", "y"],
            locked=True,
            access_type=AccessType.PUBLIC,
        ),
    )
    assert await flows.get(alice, made.id) == made
    assert (made.name, made.data, made.tags, made.locked) == ("A flow", DATA, ["x", "y"], True)
    assert made.folder_id == (await projects.default(alice)).id
    assert made.updated_at.tzinfo is not None


async def test_taken_names_are_numbered(flows: Flows, alice: uuid.UUID, bob: uuid.UUID) -> None:
    """A name that is taken becomes "x (1)", an endpoint name "x-1", each after the highest number in use."""
    created = [await flows.create(alice, NewFlow(name="x", endpoint_name="e")) for _ in range(3)]
    assert [(flow.name, flow.endpoint_name) for flow in created] == [("x", "e"), ("x (1)", "e-1"), ("x (2)", "e-2")]
    await flows.create(alice, NewFlow(name="x (7)", endpoint_name="e-last"))
    assert (await flows.create(alice, NewFlow(name="x", endpoint_name="e"))).name == "x (8)"
    assert (await flows.create(bob, NewFlow(name="x", endpoint_name="e"))).name == "x"


async def test_names_are_no_patterns(flows: Flows, alice: uuid.UUID) -> None:
    """Wildcards of LIKE and of regular expressions in a name stand for themselves."""
    await flows.create(alice, NewFlow(name="100 percent"))
    assert [(await flows.create(alice, NewFlow(name="100%"))).name for _ in range(2)] == ["100%", "100% (1)"]
    assert [(await flows.create(alice, NewFlow(name="a(.*)"))).name for _ in range(2)] == ["a(.*)", "a(.*) (1)"]


async def test_concurrent_creations_get_different_names(flows: Flows, alice: uuid.UUID) -> None:
    """Many flows of one name made at once all succeed, each under a name of its own."""
    made = await asyncio.gather(*(flows.create(alice, NewFlow(name="same")) for _ in range(12)))
    assert len({flow.name for flow in made}) == 12
    assert len({flow.folder_id for flow in made}) == 1


async def test_import_numbers_names_and_keeps_free_ids(flows: Flows, alice: uuid.UUID, bob: uuid.UUID) -> None:
    """An imported flow keeps its id unless someone has it; taken names are numbered."""
    given = uuid.uuid4()
    first, second = await flows.import_all(alice, [NewFlow(name="x", id=given), NewFlow(name="x")])
    assert (first.id, first.name, second.name) == (given, "x", "x (1)")
    (other,) = await flows.import_all(bob, [NewFlow(name="x", id=given)])
    assert other.id != given
    assert (await flows.get(alice, given)).name == "x"


async def test_batch_is_all_or_nothing(flows: Flows, alice: uuid.UUID) -> None:
    """A batch with a taken or twice given name is a conflict that names the field, and makes no flow."""
    await flows.create(alice, NewFlow(name="taken", endpoint_name="used"))
    for batch, field in (
        ([NewFlow(name="new"), NewFlow(name="taken")], "name"),
        ([NewFlow(name="new"), NewFlow(name="new")], "name"),
        ([NewFlow(name="new"), NewFlow(name="newer", endpoint_name="used")], "endpoint_name"),
    ):
        with pytest.raises(ConflictError) as error:
            await flows.create_all(alice, batch)
        assert getattr(error.value, "field", None) == field
    assert [flow.name for flow in await flows.list(alice)] == ["taken"]
    assert len(await flows.create_all(alice, [NewFlow(name="a"), NewFlow(name="b")])) == 2


@pytest.mark.parametrize(
    "flow",
    [
        NewFlow(name=""),
        NewFlow(name="  "),
        NewFlow(name="a\x00b"),
        NewFlow(name="x" * 256),
        NewFlow(name="x", endpoint_name="has space"),
        NewFlow(name="x", endpoint_name="a/../b"),
        NewFlow(name="x", endpoint_name="e\n"),
        NewFlow(name="x", endpoint_name="e" * 256),
        NewFlow(name="x", icon=":robot"),
        NewFlow(name="x", icon_bg_color="red"),
        NewFlow(name="x", icon_bg_color="#12345"),
        NewFlow(name="x", icon_bg_color="#12345g"),
        NewFlow(name="x", data={"nodes": []}),
        NewFlow(name="x", data={"edges": []}),
        NewFlow(name="x", data={"nodes": {}, "edges": []}),
        NewFlow(name="x", data={"nodes": [], "edges": [], "note": object()}),
        NewFlow(name="x", data={"nodes": [], "edges": [], "note": "\ud800"}),
    ],
    ids=lambda flow: str(flow)[8:60],
)
async def test_wrong_values_are_refused(flows: Flows, alice: uuid.UUID, flow: NewFlow) -> None:
    """A wrong value is a typed error of this service with a fix, and makes no flow."""
    with pytest.raises(InvalidInputError) as error:
        await flows.create(alice, flow)
    assert error.value.service == "session"
    assert error.value.fix
    assert await flows.list(alice) == []


async def test_right_values_of_odd_forms(flows: Flows, alice: uuid.UUID) -> None:
    """Emoji, an empty endpoint name and an empty document are right."""
    made = await flows.create(alice, NewFlow(name="👩‍💻 naïve", icon="Bot", endpoint_name="", data={}))
    assert (made.name, made.endpoint_name, made.data) == ("👩‍💻 naïve", None, {})


async def test_a_document_over_the_limit_is_refused(
    database: DatabaseService, alice: uuid.UUID, results: BuiltResults
) -> None:
    """A document of 50 MB is an error that names the setting, at creation and at change."""
    flows = Flows(database, 16 * 1024 * 1024, results)
    huge = {"nodes": [{"id": "a", "data": {"type": "x", "text": "x" * 50_000_000}}], "edges": []}
    with pytest.raises(TooLargeError, match="BEDPLATE_SESSION__MAX_FLOW_BYTES"):
        await flows.create(alice, NewFlow(name="x", data=huge))
    made = await flows.create(alice, NewFlow(name="x", data=DATA))
    with pytest.raises(TooLargeError):
        await flows.update(alice, made.id, FlowPatch(data=huge))
    assert (await flows.get(alice, made.id)).data == DATA


async def test_find_by_id_or_endpoint_name(flows: Flows, alice: uuid.UUID) -> None:
    """A flow is found by the text of its id and by its endpoint name."""
    made = await flows.create(alice, NewFlow(name="x", endpoint_name="my-flow"))
    assert await flows.find(alice, str(made.id)) == made
    assert await flows.find(alice, "my-flow") == made
    for unknown in ("other", str(uuid.uuid4()), "x"):
        with pytest.raises(NotFoundError):
            await flows.find(alice, unknown)


async def test_lists_filter_and_page(flows: Flows, projects: Projects, alice: uuid.UUID) -> None:
    """Lists go by project, kind and text; pages hold the total; headers show data of components only."""
    project = await projects.create(alice, NewProject(name="P"))
    for index in range(5):
        await flows.create(alice, NewFlow(name=f"flow {index}", data=DATA, folder_id=project.id))
    await flows.create(alice, NewFlow(name="Component", data=DATA, is_component=True))

    assert len(await flows.list(alice)) == 6
    assert [flow.name for flow in await flows.list(alice, FlowQuery(is_component=True))] == ["Component"]
    assert [flow.name for flow in await flows.list(alice, FlowQuery(search="FLOW 3"))] == ["flow 3"]
    assert await flows.list(alice, FlowQuery(search="%")) == []
    second = await flows.page(alice, FlowQuery(project_id=project.id), page=2, size=2)
    assert ([flow.name for flow in second.items], second.total, second.pages) == (["flow 2", "flow 3"], 5, 3)
    assert (await flows.page(alice, FlowQuery(), page=9, size=2)).items == ()
    headers = await flows.headers(alice)
    assert [header.data for header in headers] == [None] * 5 + [DATA]


async def test_a_change_leaves_what_is_not_named(flows: Flows, alice: uuid.UUID) -> None:
    """A patch changes the named fields, and moves updated_at; None clears."""
    made = await flows.create(alice, NewFlow(name="x", description="d", data=DATA, endpoint_name="e"))
    changed = await flows.update(alice, made.id, FlowPatch(name="y"))
    assert (changed.name, changed.description, changed.endpoint_name, changed.data) == ("y", "d", "e", DATA)
    assert changed.updated_at > made.updated_at
    cleared = await flows.update(alice, made.id, FlowPatch(description=None, endpoint_name=""))
    assert (cleared.description, cleared.endpoint_name) == (None, None)
    assert await flows.update(alice, made.id, FlowPatch(name="y")) is not None


async def test_a_patch_of_the_contract(flows: Flows, alice: uuid.UUID) -> None:
    """In the contract null leaves a field, but a missing endpoint name is cleared; unknown keys do nothing."""
    made = await flows.create(alice, NewFlow(name="x", description="d", endpoint_name="e"))
    patch = FlowPatch.of_contract({"name": "y", "description": None, "user_id": str(uuid.uuid4()), "fs_path": "/x"})
    changed = await flows.update(alice, made.id, patch)
    assert (changed.name, changed.description, changed.endpoint_name) == ("y", "d", None)
    assert changed.user_id == alice
    kept = await flows.update(alice, made.id, FlowPatch.of_contract({"endpoint_name": "e2"}))
    assert kept.endpoint_name == "e2"


async def test_webhook_is_found_by_a_patch(flows: Flows, alice: uuid.UUID) -> None:
    """Whether a flow has a webhook follows from its document when it is changed."""
    made = await flows.create(alice, NewFlow(name="x"))
    data: dict[str, Any] = {"nodes": [{"id": "Webhook-a1"}], "edges": []}
    assert (await flows.update(alice, made.id, FlowPatch(data=data))).webhook is True
    assert (await flows.update(alice, made.id, FlowPatch(data=DATA))).webhook is False


async def test_a_change_to_a_taken_name_is_a_conflict(flows: Flows, alice: uuid.UUID, bob: uuid.UUID) -> None:
    """A name or endpoint name of another flow of the same user is a conflict that changes nothing."""
    await flows.create(alice, NewFlow(name="a", endpoint_name="ea"))
    other = await flows.create(alice, NewFlow(name="b", endpoint_name="eb"))
    await flows.create(bob, NewFlow(name="c", endpoint_name="ec"))
    with pytest.raises(ConflictError):
        await flows.update(alice, other.id, FlowPatch(name="a", description="changed"))
    with pytest.raises(ConflictError):
        await flows.update(alice, other.id, FlowPatch(endpoint_name="ea"))
    assert await flows.get(alice, other.id) == other
    assert (await flows.update(alice, other.id, FlowPatch(name="c", endpoint_name="ec"))).name == "c"


async def test_deleting_many_deletes_ones_own(flows: Flows, alice: uuid.UUID, bob: uuid.UUID) -> None:
    """Of a list of ids, those of the user's flows are deleted and counted; the others are as if not there."""
    mine = [await flows.create(alice, NewFlow(name=f"{index}")) for index in range(3)]
    theirs = await flows.create(bob, NewFlow(name="theirs"))
    assert await flows.delete_all(alice, [mine[0].id, mine[1].id, theirs.id, uuid.uuid4()]) == 2
    assert await flows.delete_all(alice, []) == 0
    assert [flow.id for flow in await flows.list(alice)] == [mine[2].id]
    assert await flows.get(bob, theirs.id) == theirs


async def test_another_users_flow_does_not_exist(
    flows: Flows, projects: Projects, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """ALL-4: every operation on another user's flow answers exactly as on one that was never there."""
    theirs = await flows.create(bob, NewFlow(name="secret", endpoint_name="secret", data=DATA))
    their_project = await projects.create(bob, NewProject(name="theirs"))
    for target in (theirs.id, uuid.uuid4()):
        errors = []
        for attempt in (
            flows.get(alice, target),
            flows.find(alice, str(target)),
            flows.update(alice, target, FlowPatch(name="x")),
            flows.delete(alice, target),
            flows.public(target),
        ):
            with pytest.raises(NotFoundError) as error:
                await attempt
            errors.append(str(error.value))
        assert set(errors) == {str(error.value)}
    with pytest.raises(NotFoundError):
        await flows.find(alice, "secret")
    mine = await flows.create(alice, NewFlow(name="mine"))
    for attempt in (
        flows.create(alice, NewFlow(name="x", folder_id=their_project.id)),
        flows.update(alice, mine.id, FlowPatch(folder_id=their_project.id)),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    assert await flows.list(alice, FlowQuery(project_id=their_project.id)) == []
    assert await flows.get(bob, theirs.id) == theirs


async def test_a_public_flow_is_read_by_anyone(flows: Flows, alice: uuid.UUID) -> None:
    """A flow made public is read by id without an owner, until it is private again."""
    made = await flows.create(alice, NewFlow(name="x", access_type=AccessType.PUBLIC))
    assert await flows.public(made.id) == made
    await flows.update(alice, made.id, FlowPatch(access_type=AccessType.PRIVATE))
    with pytest.raises(NotFoundError):
        await flows.public(made.id)


async def test_the_default_project_is_made_once(flows: Flows, projects: Projects, alice: uuid.UUID) -> None:
    """Creating flows at once makes one default project."""
    await asyncio.gather(*(flows.create(alice, NewFlow(name=f"{index}")) for index in range(6)))
    assert [project.name for project in await projects.list(alice)] == [DEFAULT_PROJECT]


async def test_cancelled_at_any_moment(flows: Flows, projects: Projects, alice: uuid.UUID) -> None:
    """A creation, change or deletion that is cancelled anywhere is done or not done, and the next one works."""
    kept = await flows.create(alice, NewFlow(name="kept", description="0"))
    doomed = await flows.create_all(alice, [NewFlow(name=f"doomed {index}") for index in range(30)])
    for steps in range(30):
        for work in (
            flows.import_all(alice, [NewFlow(name=f"{steps} a"), NewFlow(name=f"{steps} b")]),
            flows.update(alice, kept.id, FlowPatch(name=f"kept {steps}", description=f"{steps}")),
            flows.delete(alice, doomed[steps].id),
            projects.create(alice, NewProject(name=f"p{steps}", flows=(kept.id,))),
        ):
            task: asyncio.Task[Any] = asyncio.ensure_future(work)
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        names = {flow.name for flow in await flows.list(alice)}
        assert (f"{steps} a" in names) == (f"{steps} b" in names)
    changed = await flows.get(alice, kept.id)
    assert changed.name in ("kept", f"kept {changed.description}")
    assert (await flows.update(alice, kept.id, FlowPatch(name="done"))).name == "done"
