"""The table of capabilities tells the truth: every row names tests that exist, and no core capability is missing."""

import ast
import functools
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| ([A-Z]+-\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_CORE = {
    "ALL": (1, 2, 3, 4),
    "SET": (1, 2, 3, 6),
    "DB": (1, 2, 3, 4),
    "AUTH": (1, 2, 3, 4, 5, 6, 7),
    "CACHE": (1, 2, 3, 4, 6),
    "SCC": (1,),
    "SES": (1, 2, 3),
    "CHAT": (1, 2),
    "JOB": (1, 2, 3),
    "TEL": (1,),
    "TRACE": (1, 2, 4),
    "VAR": (1, 2, 3),
}


def _rows() -> dict[str, list[str]]:
    text = (_ROOT / "docs" / "capabilities.md").read_text(encoding="utf-8")
    return {name: [test.strip(" `") for test in tests.split("<br>")] for name, _, tests in _ROW.findall(text)}


@functools.cache
def _tests(path: str) -> frozenset[str]:
    tree = ast.parse((_ROOT / path).read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{item.name}" for item in node.body if hasattr(item, "name")}
            names.add(node.name)
    return frozenset(names)


@pytest.mark.parametrize("group", _CORE)
def test_every_core_capability_has_a_row(group: str) -> None:
    assert {f"{group}-{number}" for number in _CORE[group]} <= set(_rows())


@pytest.mark.parametrize("capability", _rows())
def test_named_tests_exist(capability: str) -> None:
    for test in _rows()[capability]:
        path, _, name = test.partition("::")
        assert name, test
        assert name in _tests(path), test
