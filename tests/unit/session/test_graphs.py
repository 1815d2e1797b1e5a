"""The prepared graph of a session, and the digest under which it is kept."""

import asyncio
import copy
import uuid
from pathlib import Path
from typing import Any

import orjson
import pytest

from bedplate.services.cache import CacheService
from bedplate.services.session import SessionService
from bedplate.services.session.digest import content_digest
from bedplate.services.session.runner import FlowDocument, RunContext, RunFinished, RunInputs
from bedplate.services.session.runner.errors import CycleError, FlowTooLargeError, NotAFlowError

EXAMPLES = Path(__file__).parents[3] / "examples" / "flows"
LIMIT = 16 * 1024 * 1024


@pytest.fixture
def data() -> dict[str, Any]:
    document = orjson.loads((EXAMPLES / "two_opinions.json").read_bytes())["data"]
    assert isinstance(document, dict)
    return document


async def test_a_graph_is_prepared_once(
    session: SessionService, cache: CacheService, alice: uuid.UUID, flow_id: uuid.UUID, data: dict[str, Any]
) -> None:
    """SES-2: the graph of a session is prepared once for any number of runs, also at once, and comes back equal."""
    opened = await session.open(alice, flow_id, "s")
    graphs = await asyncio.gather(*(session.prepare(opened, data) for _ in range(8)))
    assert all(graph == FlowDocument.parse(data) for graph in graphs)
    stats = cache.namespace("session.graphs").stats()
    assert (stats.loads, stats.entries) == (1, 1)


async def test_graphs_are_kept_by_session_and_content(
    session: SessionService, cache: CacheService, alice: uuid.UUID, flow_id: uuid.UUID, data: dict[str, Any]
) -> None:
    """SES-2: another session, and other content, is another graph; another layout is not."""
    first, second = await session.open(alice, flow_id, "a"), await session.open(alice, flow_id, "b")
    stats = cache.namespace("session.graphs").stats
    await session.prepare(first, data)
    await session.prepare(second, data)
    assert stats().loads == 2
    moved = copy.deepcopy(data)
    moved["nodes"][0]["position"] = {"x": -1, "y": 99}
    moved["viewport"] = {"zoom": 3}
    await session.prepare(first, moved)
    assert stats().loads == 2
    changed = copy.deepcopy(data)
    changed["nodes"][0]["data"]["node"]["template"]["input_value"]["value"] = "another"
    graph = await session.prepare(first, changed)
    assert stats().loads == 3
    assert graph.nodes["ChatInput-in"].fields["input_value"].value == "another"


async def test_what_a_caller_does_with_a_graph_is_his_own(
    session: SessionService, alice: uuid.UUID, flow_id: uuid.UUID, data: dict[str, Any]
) -> None:
    """SES-2: runs share no graph: one that is changed is not the one that the next run gets."""
    opened = await session.open(alice, flow_id, "s")
    (await session.prepare(opened, data)).nodes.clear()
    assert (await session.prepare(opened, data)).nodes.keys() == FlowDocument.parse(data).nodes.keys()


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (None, NotAFlowError),
        ({}, NotAFlowError),
        ({"nodes": []}, NotAFlowError),
        ({"nodes": [], "edges": [object()]}, NotAFlowError),
        ({"nodes": [{"id": "a", "data": {"type": "X", "text": "\ud800"}}], "edges": []}, NotAFlowError),
        (
            {
                "nodes": [{"id": "a", "data": {"type": "X"}}],
                "edges": [{"source": "a", "target": "a", "sourceHandle": "o", "targetHandle": "f"}],
            },
            CycleError,
        ),
        ({"nodes": [{"id": "a", "data": {"type": "X", "text": "x" * 50_000_000}}], "edges": []}, FlowTooLargeError),
    ],
    ids=["none", "empty", "no edges", "no json", "surrogate", "cycle", "50 MB"],
)
async def test_what_is_no_flow_is_not_kept(
    session: SessionService,
    cache: CacheService,
    alice: uuid.UUID,
    flow_id: uuid.UUID,
    document: dict[str, Any] | None,
    error: type[Exception],
) -> None:
    """SES-3: a document that is no flow, or too large, is a typed error, each time it is tried."""
    opened = await session.open(alice, flow_id, "s")
    for _ in range(2):
        with pytest.raises(error):
            await session.prepare(opened, document)
    assert cache.namespace("session.graphs").stats().entries == 0


def test_the_digest_changes_nothing(data: dict[str, Any]) -> None:
    """SES-2: the caller's document is the same after it was digested."""
    before = copy.deepcopy(data)
    content_digest(data, LIMIT)
    assert data == before


def _laid_out_anew(data: dict[str, Any]) -> dict[str, Any]:
    other = copy.deepcopy(data)
    for index, node in enumerate(other["nodes"]):
        node |= {"position": {"x": index, "y": 7}, "positionAbsolute": {"x": 1, "y": 2}, "selected": True}
        node |= {"dragging": True, "width": 320, "height": 200, "measured": {"width": 320, "height": 200}}
    for edge in other["edges"]:
        edge |= {"selected": True, "animated": True, "className": "running"}
    other["viewport"] = {"x": 5, "y": 6, "zoom": 2}
    other["chatHistory"] = ["x"]
    other["nodes"].append({"id": "n", "type": "noteNode", "data": {"node": {"description": "a note"}}})
    return {key: other[key] for key in reversed(other)}


def test_layout_does_not_alter_the_digest(data: dict[str, Any]) -> None:
    """SES-2: positions, sizes, selection, viewport, notes and the order of keys are not digested."""
    assert content_digest(_laid_out_anew(data), LIMIT) == content_digest(data, LIMIT)


def test_content_alters_the_digest(data: dict[str, Any]) -> None:
    """SES-2: any value, edge, id or order of nodes is digested."""
    changes = []
    for change in range(5):
        other = copy.deepcopy(data)
        match change:
            case 0:
                other["nodes"][2]["data"]["node"]["template"]["template"]["value"] += "."
            case 1:
                other["edges"].pop()
            case 2:
                other["nodes"][0]["id"] = "another"
            case 3:
                other["nodes"].reverse()
            case 4:
                other["edges"][0]["data"]["targetHandle"]["fieldName"] = "another"
        changes.append(content_digest(other, LIMIT))
    assert len({*changes, content_digest(data, LIMIT)}) == 6


async def test_the_containers_runner_runs(
    session: SessionService, runner: Any, alice: uuid.UUID, flow_id: uuid.UUID, data: dict[str, Any]
) -> None:
    """SES-3: what executes a flow is the runner that the service was given; an app's own takes the default's place."""

    async def never(_: object) -> Any:
        raise AssertionError

    graph = await session.prepare(await session.open(alice, flow_id, "s"), data)
    context = RunContext(
        run_id=uuid.uuid4(), user_id=alice, flow_id=flow_id, session_id="s", history=never, secret=never
    )
    inputs = RunInputs(input_value="x")
    assert [event async for event in session.run(graph, inputs, context)] == [RunFinished(outputs=())]
    assert runner.asked == [(graph, inputs, context)]
