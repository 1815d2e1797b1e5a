"""Names that are unique among a user's flows or projects."""

import re
from collections.abc import Collection

__all__ = ["next_endpoint", "next_name"]


def next_name(name: str, taken: Collection[str]) -> str:
    """``name`` if it is free, else ``"name (n)"`` with the number after the highest that is taken."""
    return _next(name, taken, " ({})")


def next_endpoint(name: str, taken: Collection[str]) -> str:
    """``name`` if it is free, else ``"name-n"`` with the number after the highest that is taken."""
    return _next(name, taken, "-{}")


def _next(name: str, taken: Collection[str], suffix: str) -> str:
    if name not in taken:
        return name
    pattern = re.compile(re.escape(name) + re.escape(suffix).replace(r"\{\}", r"(\d{1,9})"))
    numbers = [int(match[1]) for match in map(pattern.fullmatch, taken) if match]
    return name + suffix.format(max(numbers, default=0) + 1)
