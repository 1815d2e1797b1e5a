"""The garbage collector while a process starts."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collector_paused", "grow_old"]


@contextmanager
def collector_paused() -> Iterator[None]:
    """Look for no garbage in the block: a start makes hundreds of thousands of objects that stay.

    Looking for garbage among them again and again is a sixth of the time that a start takes. Where the collector is
    off, it stays off.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def grow_old() -> None:
    """Put all objects that there are among the old ones, which the collector seldom looks at, without looking at them.

    It would look through all that was made during a pause at once, for a tenth of a second after the imports. Objects
    that were frozen before are frozen no more.
    """
    gc.freeze()
    gc.unfreeze()
