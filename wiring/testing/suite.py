"""What the conformance suites have in common: what a backend can do, and a table of it."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

import pytest

__all__ = ["Suite", "capability_table"]

_HOME = __name__.rpartition(".")[0] + "."


class Suite:
    """Base class of the suites. A subclass says by class attributes that are True or False what its backend can do.

    Attributes:
        backend: What the table calls the backend; empty: as the class is called, without ``Test``.
    """

    backend: ClassVar[str] = ""

    def require(self, capability: str) -> None:
        """Skip the test, by name, unless the backend has the capability."""
        if not getattr(self, capability):
            pytest.skip(f"not a capability of this backend: {capability}")

    @classmethod
    def service(cls) -> str:
        """The service that the suite is for."""
        homes = (base.__module__.removeprefix(_HOME) for base in cls.__mro__ if base.__module__.startswith(_HOME))
        return next(home.partition(".")[0] for home in homes)

    @classmethod
    def capabilities(cls) -> dict[str, bool]:
        """Which of the capabilities that the suite knows the backend has."""
        known = {name for base in cls.__mro__ for name, value in vars(base).items() if isinstance(value, bool)}
        return {name: getattr(cls, name) for name in sorted(known) if not name.startswith("_")}

    @classmethod
    def backend_name(cls) -> str:
        """What the table calls the backend."""
        return cls.backend or cls.__name__.removeprefix("Test").lower()


def capability_table(suites: Iterable[type[Suite]]) -> str:
    """A table in Markdown of what each backend can do, one row a backend, in the order of services.

    Args:
        suites: The classes that ran, each of them a suite with a backend.
    """
    rows = ["| service | backend | can | cannot |", "| --- | --- | --- | --- |"]
    return "\n".join([*rows, *_rows(sorted(suites, key=lambda one: (one.service(), one.backend_name())))])


def _rows(suites: Iterable[type[Suite]]) -> Iterator[str]:
    for suite in suites:
        found = suite.capabilities()
        can, cannot = (", ".join(name for name, has in found.items() if has is wanted) for wanted in (True, False))
        yield " | ".join(("| " + suite.service(), suite.backend_name(), can or "the suite", f"{cannot or '–'} |"))
