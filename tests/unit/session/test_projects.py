"""Projects: named groups of a user's flows."""

import asyncio
import uuid

import pytest

from bedplate.services.errors import ConflictError, InvalidInputError, NotFoundError
from bedplate.services.session.flows import Flows
from bedplate.services.session.models import FlowQuery, NewFlow, NewProject, ProjectPatch
from bedplate.services.session.projects import DEFAULT_PROJECT, Projects


async def test_the_default_project_is_made_on_demand(projects: Projects, alice: uuid.UUID) -> None:
    """The default project is made when first asked for, once, also by many at once, and is listed first."""
    await projects.create(alice, NewProject(name="Aaa"))
    made = await asyncio.gather(*(projects.default(alice) for _ in range(8)))
    assert len({project.id for project in made}) == 1
    assert [project.name for project in await projects.list(alice)] == [DEFAULT_PROJECT, "Aaa"]


async def test_taken_names_are_numbered(projects: Projects, alice: uuid.UUID, bob: uuid.UUID) -> None:
    """A project of a taken name becomes "x (1)"; another user's names do not matter."""
    names = [(await projects.create(alice, NewProject(name="x"))).name for _ in range(3)]
    assert names == ["x", "x (1)", "x (2)"]
    assert (await projects.create(bob, NewProject(name="x"))).name == "x"


async def test_create_takes_flows_in(projects: Projects, flows: Flows, alice: uuid.UUID) -> None:
    """Flows and components named at creation are moved into the project."""
    flow = await flows.create(alice, NewFlow(name="f"))
    component = await flows.create(alice, NewFlow(name="c", is_component=True))
    project = await projects.create(alice, NewProject(name="p", flows=(flow.id, component.id)))
    assert {found.id for found in await flows.list(alice, FlowQuery(project_id=project.id))} == {flow.id, component.id}


async def test_update_sets_exactly_the_flows(projects: Projects, flows: Flows, alice: uuid.UUID) -> None:
    """A list of flows is what the project then has; the rest goes to the default one; no list changes nothing."""
    made = [await flows.create(alice, NewFlow(name=f"{index}")) for index in range(3)]
    project = await projects.create(alice, NewProject(name="p", flows=(made[0].id, made[1].id)))
    renamed = await projects.update(alice, project.id, ProjectPatch(name="q", description="d"))
    assert (renamed.name, renamed.description) == ("q", "d")
    assert len(await flows.list(alice, FlowQuery(project_id=project.id))) == 2
    await projects.update(alice, project.id, ProjectPatch(flows=(made[1].id, made[2].id)))
    assert {flow.name for flow in await flows.list(alice, FlowQuery(project_id=project.id))} == {"1", "2"}
    assert (await flows.get(alice, made[0].id)).folder_id == (await projects.default(alice)).id
    await projects.update(alice, project.id, ProjectPatch(flows=()))
    assert await flows.list(alice, FlowQuery(project_id=project.id)) == []


async def test_deleting_a_project_deletes_its_flows(projects: Projects, flows: Flows, alice: uuid.UUID) -> None:
    """The flows of a deleted project are gone; those of others stay."""
    project = await projects.create(alice, NewProject(name="p"))
    inside = await flows.create(alice, NewFlow(name="inside", folder_id=project.id))
    outside = await flows.create(alice, NewFlow(name="outside"))
    await projects.delete(alice, project.id)
    with pytest.raises(NotFoundError):
        await flows.get(alice, inside.id)
    with pytest.raises(NotFoundError):
        await projects.get(alice, project.id)
    assert await flows.get(alice, outside.id) == outside


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 256])
async def test_wrong_names_are_refused(projects: Projects, alice: uuid.UUID, name: str) -> None:
    """An empty, over-long or unprintable name is a typed error."""
    project = await projects.create(alice, NewProject(name="p"))
    with pytest.raises(InvalidInputError):
        await projects.create(alice, NewProject(name=name))
    with pytest.raises(InvalidInputError):
        await projects.update(alice, project.id, ProjectPatch(name=name))


async def test_a_taken_name_is_a_conflict_at_change(projects: Projects, alice: uuid.UUID) -> None:
    """Changing to the name of another project is refused; keeping one's own name is not."""
    first = await projects.create(alice, NewProject(name="a"))
    await projects.create(alice, NewProject(name="b"))
    with pytest.raises(ConflictError):
        await projects.update(alice, first.id, ProjectPatch(name="b"))
    assert (await projects.update(alice, first.id, ProjectPatch(name="a"))).name == "a"


async def test_parents_make_no_circle(projects: Projects, alice: uuid.UUID) -> None:
    """A project cannot be moved below itself."""
    top = await projects.create(alice, NewProject(name="top"))
    below = await projects.create(alice, NewProject(name="below", parent_id=top.id))
    for parent in (top.id, below.id):
        with pytest.raises(InvalidInputError):
            await projects.update(alice, top.id, ProjectPatch(parent_id=parent))
    assert (await projects.update(alice, below.id, ProjectPatch(parent_id=None))).parent_id is None


async def test_another_users_project_does_not_exist(
    projects: Projects, flows: Flows, alice: uuid.UUID, bob: uuid.UUID
) -> None:
    """ALL-4: another user's projects and flows are as if they were not there, and nothing of theirs is moved."""
    theirs = await projects.create(bob, NewProject(name="theirs"))
    their_flow = await flows.create(bob, NewFlow(name="f", folder_id=theirs.id))
    mine = await projects.create(alice, NewProject(name="mine"))
    for attempt in (
        projects.get(alice, theirs.id),
        projects.update(alice, theirs.id, ProjectPatch(name="x")),
        projects.update(alice, mine.id, ProjectPatch(parent_id=theirs.id)),
        projects.update(alice, mine.id, ProjectPatch(name="renamed", flows=(their_flow.id,))),
        projects.delete(alice, theirs.id),
        projects.create(alice, NewProject(name="y", parent_id=theirs.id)),
        projects.create(alice, NewProject(name="y", flows=(their_flow.id,))),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    assert [project.name for project in await projects.list(alice)] == ["mine"]
    assert await projects.get(bob, theirs.id) == theirs
    assert (await flows.get(bob, their_flow.id)).folder_id == theirs.id
