"""The key under which the prepared graph of a session is kept."""

import asyncio
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from bedplate.services.session.digest import content_digest
from benchmarks.harness import Aim, Row, ratio

__all__ = ["rows"]

_NODES = 20
_TIMES = 200
_LIMIT = 16 * 1024 * 1024
_SESSION = uuid.uuid4()


def rows(runner: asyncio.Runner) -> Iterator[Row]:
    """The key of a flow of 20 nodes against the least that makes one: all of it as sorted JSON, hashed."""
    flow = _flow()
    yield ratio(
        "session key of a flow of 20 nodes",
        lambda: _timed(lambda: f"{_SESSION}:{content_digest(flow, _LIMIT)}"),
        lambda: _timed(lambda: f"{_SESSION}:{_plain(flow)}"),
        against="orjson with sorted keys and BLAKE2b",
        unit="us",
        aim=Aim("≤", 1.3),
        runner=runner,
    )


def _plain(flow: dict[str, Any]) -> str:
    text = orjson.dumps(flow, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=16).hexdigest()


async def _timed(make: Callable[[], str]) -> float:
    begun = time.perf_counter()
    for _ in range(_TIMES):
        make()
    return (time.perf_counter() - begun) / _TIMES * 1e6


def _flow() -> dict[str, Any]:
    """Twenty language models in a row, as an editor stores them."""
    nodes = [_node(number) for number in range(_NODES)]
    edges = [_edge(nodes[place]["id"], nodes[place + 1]["id"]) for place in range(_NODES - 1)]
    return {"nodes": nodes, "edges": edges, "viewport": {"x": 0.5, "y": 1.5, "zoom": 1}}


def _node(number: int) -> dict[str, Any]:
    fields = {
        name: {
            "_input_type": "MessageInput",
            "advanced": False,
            "display_name": name.title(),
            "info": "What is asked of the model, or how it should behave.",
            "input_types": ["Message"],
            "name": name,
            "required": False,
            "show": True,
            "type": "str",
            "value": f"value {number} of {name}",
        }
        for name in ("input_value", "system_message", "model_name", "api_key", "temperature", "max_tokens", "stream")
    }
    node = {
        "template": fields | {"code": {"type": "code", "value": "# of the component\n" * 60}},
        "display_name": "Language Model",
        "description": "Runs a language model.",
        "outputs": [{"name": "text_output", "types": ["Message"], "method": "text_response"}],
    }
    identifier = f"LanguageModelComponent-{number}"
    return {
        "id": identifier,
        "type": "genericNode",
        "position": {"x": 200.5 * number, "y": 31.25},
        "measured": {"width": 320, "height": 534},
        "selected": False,
        "data": {"id": identifier, "type": "LanguageModelComponent", "node": node},
    }


def _edge(source: str, target: str) -> dict[str, Any]:
    handles = {
        "sourceHandle": {"dataType": "LanguageModelComponent", "id": source, "name": "text_output"},
        "targetHandle": {"fieldName": "input_value", "id": target, "inputTypes": ["Message"], "type": "str"},
    }
    texts = {side: orjson.dumps(handle).decode().replace('"', "œ") for side, handle in handles.items()}
    return {"id": f"{source}-{target}", "source": source, "target": target, "data": handles, **texts, "animated": False}
