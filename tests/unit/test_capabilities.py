"""The table of capabilities tells the truth: every row names tests that exist, and no core capability is missing."""

import ast
import functools
import importlib.util
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| ([A-Z]+-\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CORE = {
    "ALL": (1, 2, 3, 4),
    "SET": (1, 2, 3, 6),
    "DB": (1, 2, 3, 4),
    "AUTH": (1, 2, 3, 4, 5, 6, 7, 8),
    "CACHE": (1, 2, 3, 4, 5, 6, 7),
    "SCC": (1, 2, 3),
    "SES": (1, 2, 3),
    "CHAT": (1, 2),
    "JOB": (1, 2, 3),
    "STATE": (1, 2),
    "STO": (1, 2, 3),
    "STORE": (1,),
    "TASK": (1, 2, 4),
    "TEL": (1,),
    "TRACE": (1, 2, 4),
    "VAR": (1, 2, 3),
}


def _rows() -> dict[str, list[str]]:
    text = (_ROOT / "docs" / "capabilities.md").read_text(encoding="utf-8")
    return {name: [test.strip(" `") for test in tests.split("<br>")] for name, _, tests in _ROW.findall(text)}


@functools.cache
def _defined(path: str) -> frozenset[str]:
    """The names of functions and classes in a file, those inside a class with its name before them."""
    names = set()
    for node in ast.walk(ast.parse((_ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{item.name}" for item in node.body if isinstance(item, _FUNCTIONS)}
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            names.add(node.name)
    return frozenset(names)


def _inherited(path: str, kind: str, name: str) -> bool:
    """Whether a class of a file has a test from a suite, which only an import shows."""
    spec = importlib.util.spec_from_file_location(f"capability_{Path(path).stem}", _ROOT / path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return callable(getattr(getattr(module, kind, None), name, None))


@pytest.mark.parametrize("group", _CORE)
def test_every_core_capability_has_a_row(group: str) -> None:
    assert {f"{group}-{number}" for number in _CORE[group]} <= set(_rows())


@pytest.mark.parametrize("capability", _rows())
def test_named_tests_exist(capability: str) -> None:
    for test in _rows()[capability]:
        path, _, name = test.partition("::")
        if name not in _defined(path):
            kind, _, method = name.partition("::")
            assert _inherited(path, kind, method), test
