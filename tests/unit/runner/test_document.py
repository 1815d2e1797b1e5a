"""Flow documents: what is a flow, and what each defect is called."""

import copy
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedplate.services.errors import InvalidInputError, TooLargeError
from bedplate.services.session.runner import FlowDocument, FlowLimits
from bedplate.services.session.runner.errors import (
    CycleError,
    DanglingEdgeError,
    DuplicateNodeError,
    FlowTooLargeError,
    NotAFlowError,
)


def node(node_id: str, **data: Any) -> dict[str, Any]:
    return {"id": node_id, "type": "genericNode", "data": {"type": "Prompt", **data}}


def edge(source: str, target: str) -> dict[str, Any]:
    data = {"sourceHandle": {"name": "prompt"}, "targetHandle": {"fieldName": "x"}}
    return {"source": source, "target": target, "data": data}


def test_a_document_becomes_nodes_edges_and_an_order() -> None:
    """SES-3: nodes keep the values of their templates, edges their handles; the order follows the edges."""
    template = {
        "_type": "Component",
        "text": {"type": "str", "value": "hi"},
        "key": {"type": "str", "value": "NAME", "load_from_db": True, "password": True},
        "path": {"type": "file", "value": "", "file_path": "a/b.txt"},
        "code": {"type": "code", "value": "import os; os.abort()"},
    }
    flow = FlowDocument.parse(
        {
            "nodes": [node("b"), node("a", node={"template": template, "display_name": "First"})],
            "edges": [edge("a", "b")],
        }
    )
    assert flow.order == ("a", "b")
    first = flow.nodes["a"]
    assert (first.component, first.display_name) == ("Prompt", "First")
    assert {name: field.value for name, field in first.fields.items()} == {
        "text": "hi",
        "key": "NAME",
        "path": "a/b.txt",
    }
    assert (first.fields["key"].load_from_db, first.fields["key"].secret) == (True, True)
    assert [(found.source, found.output, found.target, found.field) for found in flow.edges] == [
        ("a", "prompt", "b", "x")
    ]


def test_code_is_not_kept() -> None:
    """SES-3: the code in a template is no part of what a runner sees."""
    template = {"code": {"type": "code", "value": "raise SystemExit"}}
    flow = FlowDocument.parse({"nodes": [node("a", node={"template": template})], "edges": []})
    assert "SystemExit" not in repr(flow)


def test_parsing_changes_nothing() -> None:
    """The caller's document is the same after it was read."""
    data = {"nodes": [node("a"), node("b")], "edges": [edge("a", "b")], "viewport": {"x": 1}}
    before = copy.deepcopy(data)
    FlowDocument.parse(data)
    assert data == before


@pytest.mark.parametrize(
    "handles",
    [
        {"data": {"sourceHandle": {"name": "o"}, "targetHandle": {"fieldName": "f"}}},
        {"sourceHandle": "{œnameœ: œoœ, œidœ: œaœ}", "targetHandle": "{œfieldNameœ:œfœ}"},
        {"sourceHandle": '{"name": "o"}', "targetHandle": '{"fieldName": "f"}'},
        {"sourceHandle": "o", "targetHandle": "f"},
    ],
)
def test_handles_come_in_several_forms(handles: dict[str, Any]) -> None:
    """Handles are objects in the edge's data, JSON with other quotes, or plain names."""
    flow = FlowDocument.parse({"nodes": [node("a"), node("b")], "edges": [{"source": "a", "target": "b", **handles}]})
    assert (flow.edges[0].output, flow.edges[0].field) == ("o", "f")


def test_notes_are_no_components() -> None:
    """SES-3: nodes of type noteNode, and edges that touch them, are left out."""
    note = {"id": "note", "type": "noteNode", "data": {"node": {"template": {}}}}
    flow = FlowDocument.parse({"nodes": [node("a"), note], "edges": [edge("note", "a"), edge("a", "note")]})
    assert (flow.order, flow.edges) == (("a",), ())


def test_the_empty_graph_is_a_flow() -> None:
    """A flow without nodes is right, and has nothing to do."""
    assert FlowDocument.parse({"nodes": [], "edges": []}).order == ()


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (None, NotAFlowError, "the flow is null"),
        ([], NotAFlowError, "the flow is a list"),
        ("flow", NotAFlowError, "the flow is a str"),
        ({}, NotAFlowError, "no 'nodes'"),
        ({"nodes": []}, NotAFlowError, "no 'edges'"),
        ({"nodes": None, "edges": []}, NotAFlowError, "'nodes' of the flow is null"),
        ({"nodes": {}, "edges": []}, NotAFlowError, "'nodes' of the flow is a dict"),
        ({"nodes": ["x"], "edges": []}, NotAFlowError, "node 0 is a str"),
        ({"nodes": [{}], "edges": []}, NotAFlowError, "node 0 has no id"),
        ({"nodes": [{"id": 7}], "edges": []}, NotAFlowError, "node 0 has no id"),
        ({"nodes": [{"id": "a"}], "edges": []}, NotAFlowError, "'data' of the node 'a' is null"),
        ({"nodes": [{"id": "a", "data": {}}], "edges": []}, NotAFlowError, "'a' names no component type"),
        ({"nodes": [node("a", node=7)], "edges": []}, NotAFlowError, "'data.node' of the node 'a'"),
        ({"nodes": [node("a", node={"template": []})], "edges": []}, NotAFlowError, "template of the node 'a'"),
        ({"nodes": [node("a"), node("a")], "edges": []}, DuplicateNodeError, "two nodes have the id 'a'"),
        ({"nodes": [node("a")], "edges": ["x"]}, NotAFlowError, "edge 0 is a str"),
        ({"nodes": [node("a")], "edges": [edge("a", "ghost")]}, DanglingEdgeError, "edge 0 names the node 'ghost'"),
        ({"nodes": [node("a")], "edges": [{"target": "a"}]}, DanglingEdgeError, "edge 0"),
        ({"nodes": [node("a")], "edges": [{"source": [], "target": "a"}]}, DanglingEdgeError, "edge 0"),
        (
            {"nodes": [node("a"), node("b")], "edges": [{"source": "a", "target": "b"}]},
            NotAFlowError,
            "edge 0 has no sourceHandle",
        ),
        (
            {"nodes": [node("a"), node("b")], "edges": [{"source": "a", "target": "b", "sourceHandle": "{broken"}]},
            NotAFlowError,
            "edge 0 has no sourceHandle",
        ),
        (b"{not json", NotAFlowError, "the flow is not JSON"),
        (b"\xff\xfe", NotAFlowError, "the flow is not JSON"),
        (b"[" * 100_000, NotAFlowError, "the flow is not JSON"),
    ],
)
def test_what_is_no_flow_says_why(data: object, error: type[InvalidInputError], words: str) -> None:
    """SES-3: every defect of a document is a typed error that names the node or edge, and the fix."""
    with pytest.raises(error) as caught:
        FlowDocument.parse(data)
    assert words in caught.value.what
    assert caught.value.fix
    assert caught.value.service == "session"


@pytest.mark.parametrize(
    ("edges", "chain"),
    [
        (["aa"], ("a", "a")),
        (["ab", "ba"], ("a", "b", "a")),
        (["ab", "bc", "cd", "db", "de"], ("b", "c", "d", "b")),
        (["ab", "bc", "ca", "da", "ce"], ("a", "b", "c", "a")),
    ],
)
def test_a_cycle_is_named_as_a_chain(edges: list[str], chain: tuple[str, ...]) -> None:
    """SES-3: a circle of nodes is an error that walks once around it."""
    data = {"nodes": [node(name) for name in "abcde"], "edges": [edge(*pair) for pair in edges]}
    with pytest.raises(CycleError) as error:
        FlowDocument.parse(data)
    assert error.value.chain == chain
    assert " -> ".join(chain) in str(error.value)


def test_too_many_bytes_nodes_and_edges() -> None:
    """SES-3: a document of 50 MB, and one with too many nodes or edges, is an error that names the setting."""
    with pytest.raises(FlowTooLargeError, match="BEDPLATE_SESSION__MAX_FLOW_BYTES"):
        FlowDocument.parse(b'{"nodes": [], "edges": [], "text": "' + b"x" * 50_000_000 + b'"}')
    limits = FlowLimits(max_nodes=2, max_edges=1)
    with pytest.raises(TooLargeError, match=r"3 nodes, more than the 2 allowed.*BEDPLATE_SESSION__MAX_NODES"):
        FlowDocument.parse({"nodes": [node(name) for name in "abc"], "edges": []}, limits)
    with pytest.raises(TooLargeError, match="BEDPLATE_SESSION__MAX_EDGES"):
        FlowDocument.parse({"nodes": [node("a"), node("b")], "edges": [edge("a", "b"), edge("b", "a")]}, limits)


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_every_order_follows_the_edges_and_every_circle_is_real(pairs: list[tuple[int, int]]) -> None:
    """Either each node comes after those that it takes values from, or the circle named consists of edges."""
    data = {"nodes": [node(str(name)) for name in range(8)], "edges": [edge(str(a), str(b)) for a, b in pairs]}
    chain: tuple[str, ...] = ()
    try:
        order = FlowDocument.parse(orjson.dumps(data)).order
    except CycleError as error:
        order, chain = (), error.chain
    if order:
        assert sorted(order) == [str(name) for name in range(8)]
        assert all(order.index(str(a)) < order.index(str(b)) for a, b in pairs)
    else:
        assert len(chain) > 1
        assert chain[0] == chain[-1]
        assert {(int(a), int(b)) for a, b in pairwise(chain)} <= set(pairs)
