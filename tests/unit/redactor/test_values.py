"""Redacted copies of values (TRACE-1, TRACE-4): bounded, made of what JSON knows, whatever goes in."""

import dataclasses
import json
from collections import UserDict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from bedplate.services.engines.redactor import MASK, Limits, Redactor
from bedplate.services.engines.redactor.forms import forms_of
from bedplate.services.logs import MAX_TEXT, masked
from bedplate.services.settings import SettingsService
from bedplate.services.telemetry import TelemetryService


class Struct(msgspec.Struct):
    api_key: str
    text: str


@dataclasses.dataclass
class Data:
    password: str
    text: str


class Model(BaseModel):
    token: SecretStr
    text: str


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no")


class HostileDict(UserDict[str, Any]):
    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")


class HostileText(str):
    def __str__(self) -> str:
        raise RuntimeError("no")


class HostileError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("given", "copied"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (Level.LOW, 1),
        (2**70, "[integer of 71 bits]"),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (Colour.RED, "red"),
        ({1: "a", None: "b", ("x",): "c"}, {"1": "a", "None": "b", "('x',)": "c"}),
        ((1, 2, 3), [1, 2, 3]),
        ({7}, [7]),
        (frozenset(), []),
        (UserDict(a=1), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (timedelta(seconds=1.5), 1.5),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.10"), "1.10"),
        (Path("/a/b"), "/a/b"),
        (b"text", "text"),
        (bytearray(b"text"), "text"),
        (b"\xff\x00", "[2 bytes]"),
        (Struct("k", "t"), {"api_key": MASK, "text": "t"}),
        (Data("k", "t"), {"password": MASK, "text": "t"}),
        (Model(token="k", text="t"), {"token": MASK, "text": "t"}),
        (SecretStr("k"), MASK),
        (ValueError("bad password=abc"), f"ValueError: bad password={MASK}"),
        (object, "[builtins.type]"),
        ("a\ud800b", "a?b"),
        (HostileText("fine"), "fine"),
        ({"a": Hostile()}, {"a": "[unreadable Hostile]"}),
        ([HostileDict(), 1, 2], ["[unreadable HostileDict]", 1, 2]),
        (HostileError(), "[unreadable HostileError]"),
        ((n for n in (1, 2)), "[builtins.generator]"),
    ],
)
def test_any_value_becomes_json(redactor: Redactor, given: object, copied: object) -> None:
    """TRACE-1: inputs that are no JSON, and objects that fight back, are recorded as well as they can be."""
    result = redactor.value(given)
    assert result == copied
    assert type(result) is type(copied)
    orjson.dumps(result)
    json.dumps(result, allow_nan=False)


def test_cycles_end(redactor: Redactor) -> None:
    value: dict[str, Any] = {"a": 1}
    value["self"] = [value]
    shared = [1]
    assert redactor.value(value) == {"a": 1, "self": ["[cycle]"]}
    assert redactor.value([shared, shared, 0]) == [[1], [1], 0]


def test_depth_is_limited(redactor: Redactor) -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    copied = redactor.value(value, limits=Limits(depth=3))
    assert copied == [[["[too deep]"]]]
    json.dumps(redactor.value(value))


def test_items_are_limited(redactor: Redactor) -> None:
    copied = redactor.value([list(range(100)), list(range(100))], limits=Limits(items=50))
    assert copied[0][-1] == "[cut: more items]"
    assert len(orjson.dumps(copied)) < 400
    copied = redactor.value({str(n): {"password": "x"} for n in range(100)}, limits=Limits(items=50))
    assert copied.pop("[cut]") == "more fields"
    assert len(copied) < 50


def test_size_is_limited_and_the_cut_says_so(redactor: Redactor) -> None:
    """TRACE-4: a long input is cut with a marker, in bytes, between characters."""
    assert redactor.value("x" * 100, limits=Limits(size=18)) == "x" * 10 + "… [cut: 90 characters]"
    assert redactor.value("ö" * 100, limits=Limits(size=19)) == "ö" * 5 + "… [cut: 95 characters]"
    many = {f"k{n}": "v" * 1000 for n in range(1000)}
    measured = redactor.measured(many, limits=Limits(size=5000))
    assert len(orjson.dumps(measured.value)) < 6000
    assert measured.size < 6000
    assert measured.value["[cut]"] == "more fields"
    assert list(redactor.value({"field": "v" * 50}, limits=Limits(size=30))) == ["field"]


def test_a_cut_leaves_no_half_of_a_secret(redactor: Redactor) -> None:
    redactor.register("super-secret-value")
    for size in range(8, 60):
        copied = redactor.value({"a": "xx super-secret-value yy"}, limits=Limits(size=size))
        assert "super" not in orjson.dumps(copied).decode()


async def test_no_log_line_ends_in_half_of_a_secret(redactor: Redactor, telemetry: TelemetryService) -> None:
    """TRACE-4, TEL-1: the cut of a long text comes after the masking, wherever the secret stands."""
    redactor.register("super-secret-value")
    await telemetry.start()
    try:
        for cut in (MAX_TEXT, 4 * MAX_TEXT):
            for before in range(cut - 20, cut + 2):
                event = masked({"event": "x" * before + "super-secret-value" + "y" * 200_000})
                assert "s" not in event["event"][:MAX_TEXT].replace(MASK, "")
                assert len(event["event"]) < MAX_TEXT + 100
    finally:
        await telemetry.stop()


def test_each_text_has_a_limit_of_its_own(redactor: Redactor) -> None:
    redactor.register("super-secret-value")
    value = ["x" * 20, "ab super-secret-value", "short"]
    assert redactor.value(value, limits=Limits(text=10)) == [
        "x" * 10 + "… [cut: 10 characters]",
        f"ab {MASK}… [cut: 11 characters]",
        "short",
    ]


def test_the_original_is_untouched_and_not_shared(redactor: Redactor) -> None:
    original = {"a": [1, {"password": "x"}], "b": {"c": []}}
    copied = redactor.value(original)
    copied["b"]["c"].append(1)
    copied["a"].append(2)
    assert original == {"a": [1, {"password": "x"}], "b": {"c": []}}


def test_keys_that_are_secrets_are_masked_and_told_apart(redactor: Redactor) -> None:
    redactor.register("value-one")
    redactor.register("value-two")
    assert redactor.value({"value-one": 1, "value-two": 2, "x": 3}) == {MASK: 1, f"{MASK} (2)": 2, "x": 3}


def test_a_number_that_is_a_secret_is_masked(redactor: Redactor) -> None:
    redactor.register("20261234")
    assert redactor.value([20261234, 20261235, 1]) == [MASK, 20261235, 1]


SECRETS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=8, max_size=40).filter(
    lambda text: len(text.strip()) >= 8 and len(set(text)) > 4
)
SHAPES = st.recursive(
    st.integers(0, 200),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 200), inner, max_size=4),
    max_leaves=12,
)


def plant(shape: Any, forms: list[str]) -> Any:
    """A value of the given shape with a form of the secret at every leaf and key, in one type or another."""
    if isinstance(shape, list):
        items = [plant(item, forms) for item in shape]
        return Struct(*items) if len(items) == 2 else items
    if isinstance(shape, dict):
        return {plant(key, forms): plant(item, forms) for key, item in shape.items()}
    text = "é<"[: shape % 3] + forms[shape % len(forms)] + ",x"[: shape % 2]
    return (text, text.encode(), ValueError(text), Path(text))[shape % 4]


@given(secret=SECRETS, shape=SHAPES, size=st.integers(1, 300))
def test_no_planted_secret_survives(secret: str, shape: Any, size: int) -> None:
    """TRACE-4: whatever structure and form a registered secret is in, the copy is free of it."""
    redactor = Redactor(SettingsService())
    redactor.register(secret)
    forms = sorted(forms_of(secret, min_length=8))
    value = plant(shape, forms)
    for copied in (redactor.value(value), redactor.value(value, limits=Limits(size=size))):
        flat = orjson.dumps(copied).decode() + json.dumps(copied) + repr(copied)
        for form in forms:
            assert form not in flat.replace(MASK, "")
