"""The tree of a run's steps."""

import uuid
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from bedplate.services.tracing.models import SpanNode

__all__ = ["MAX_DEPTH", "tree_of"]

MAX_DEPTH = 64
"""Most levels of a tree, since what encodes it recurses; deeper steps stand beside those of the last level."""


def tree_of(spans: Sequence[tuple[SpanNode, uuid.UUID | None]]) -> tuple[SpanNode, ...]:
    """Return the outermost steps, each with those inside it.

    Args:
        spans: Steps without children, each with the id of its parent, in the order in which they began. One whose
            parent is not among them is an outermost one.
    """
    above = _parents(spans)
    children: defaultdict[uuid.UUID | None, list[SpanNode]] = defaultdict(list)
    # Backwards: a step begins after the one that it is in, so all that is inside it is complete before it.
    for span, _ in reversed(spans):
        inside = tuple(reversed(children.pop(span.id, [])))
        children[above[span.id]].append(msgspec.structs.replace(span, children=inside))
    return tuple(reversed(children[None]))


def _parents(spans: Sequence[tuple[SpanNode, uuid.UUID | None]]) -> dict[uuid.UUID, uuid.UUID | None]:
    """The parent of each, moved up where the tree would be too deep."""
    parents: dict[uuid.UUID, uuid.UUID | None] = {}
    depths: dict[uuid.UUID, int] = {}
    for span, parent in spans:
        known = parent if parent in depths else None
        while known is not None and depths[known] >= MAX_DEPTH:
            known = parents[known]
        parents[span.id] = known
        depths[span.id] = 1 if known is None else depths[known] + 1
    return parents
