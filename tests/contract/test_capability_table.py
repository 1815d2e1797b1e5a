"""The page that says what each backend can do, as the flags of the suites that it runs say."""

import importlib
from collections.abc import Iterator
from pathlib import Path

from bedplate.wiring.testing.suite import Suite, capability_table

PAGE = Path(__file__).parents[2] / "docs" / "backends.md"
INTRODUCTION = """# What each backend can do

Every backend runs the suite of its service (`bedplate.testing`). A capability is a flag of the suite: what a backend
lacks is skipped by name, and stands here. `pytest tests/contract --capabilities` prints the table.

"""


def _suites(base: type[Suite]) -> Iterator[type[Suite]]:
    for one in base.__subclasses__():
        yield from _suites(one)
        if one.__module__.startswith("tests.contract.") and one.__name__.startswith("Test"):
            yield one


def test_the_page_says_what_the_flags_say() -> None:
    """ALL-5: write what this test shows into the page when it fails."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"tests.contract.{path.stem}")
    assert PAGE.read_text() == INTRODUCTION + capability_table(set(_suites(Suite))) + "\n"
