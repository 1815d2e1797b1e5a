"""Steps with what they saw and how long they took; the first that differs from what it should be ends the demo."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

__all__ = ["DifferenceError", "Steps", "check"]


class DifferenceError(Exception):
    """Something was not as it should be."""


def check(condition: object, what: str) -> None:
    """Go on if ``condition`` holds.

    Raises:
        DifferenceError: It does not.
    """
    if not condition:
        raise DifferenceError(what)


class Step:
    """One step, while it goes on."""

    def __init__(self) -> None:
        self.seen = ""

    def saw(self, text: str) -> None:
        """Say what was seen; shown when the step ends."""
        self.seen = text


class Steps:
    """Prints the steps as they end."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._count = 0
        self._begun = time.perf_counter()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Run one step."""
        self._count += 1
        step, begun = Step(), time.perf_counter()
        try:
            yield step
        except BaseException as error:
            self._console.print(
                f"[red]✗[/] {self._count:>2}  {title}", f"    {type(error).__name__}: {error}", sep="\n"
            )
            raise
        milliseconds = (time.perf_counter() - begun) * 1e3
        self._console.print(f"[green]✓[/] {self._count:>2}  {title:<48} [dim]{milliseconds:>7.0f} ms[/]  ", end="")
        self._console.print(step.seen, markup=False)

    def summary(self) -> None:
        """Print how many steps there were and how long they took in all."""
        self._console.print(
            f"\n{self._count} steps in {time.perf_counter() - self._begun:.1f} s, all as they should be"
        )
