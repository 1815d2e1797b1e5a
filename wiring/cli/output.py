"""What commands print: tables, JSON, and errors as what, why and fix."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any

import msgspec
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bedplate.services.errors import BedplateError, ConfigurationError
from bedplate.services.settings.errors import Problem, SettingsError

__all__ = ["Format", "print_error", "print_json", "print_table"]

_WIDEST = 100_000
"""Characters of the longest line that is printed where there is no terminal."""


class Format(StrEnum):
    """How a command prints what it found."""

    TABLE = "table"
    JSON = "json"


def print_json(value: Any) -> None:
    """Print a value as indented JSON, structs included."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    sys.stdout.write(orjson.dumps(value, msgspec.to_builtins, options).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under headings; on a terminal cells are wrapped, elsewhere never."""
    console = Console(highlight=False)
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    if not console.is_terminal:
        unlimited = console.options.update(max_width=_WIDEST)
        console.width = max(console.measure(table, options=unlimited).maximum, 1)
    console.print(table)


def print_error(error: BedplateError) -> int:
    """Print an error on standard error; return the exit code: 2 if the configuration is wrong, else 1."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for line in _lines(error):
        console.print(line)
    return 2 if any(isinstance(cause, ConfigurationError) for cause in _causes(error)) else 1


def _causes(error: BedplateError) -> list[BedplateError]:
    """The error itself, or those of the services that did not start or stop."""
    failures: dict[str, BaseException] = getattr(error, "failures", {})
    return [one for one in failures.values() if isinstance(one, BedplateError)] or [error]


def _lines(error: BedplateError) -> Iterator[Text]:
    causes = _causes(error)
    if causes != [error]:
        yield Text.assemble(("Error: ", "bold red"), error.what.partition(":")[0])
    for cause in causes:
        service = f"{cause.service}: " if cause.service else ""
        yield Text.assemble(("Error: ", "bold red"), service, cause.what)
        if isinstance(cause, SettingsError):
            for problem in cause.problems:
                yield from _problem(problem)
        elif cause.why:
            yield Text.assemble(("  why: ", "bold"), cause.why)
        if cause.fix:
            yield Text.assemble(("  fix: ", "bold green"), cause.fix)


def _problem(problem: Problem) -> Iterator[Text]:
    yield Text.assemble("  ", (problem.key, "bold"), f" {problem.what}")
    yield Text(f"    found: {problem.shape}, from {problem.origin}")
    yield Text(f"    fix:   {problem.fix}")
