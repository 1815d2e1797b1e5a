"""A shorter name for :mod:`bedplate.wiring.testing`: what tests of an application use."""

from typing import TYPE_CHECKING

from bedplate.wiring import testing

if TYPE_CHECKING:
    from bedplate.wiring.testing import *  # noqa: F403  # the names listed there

__all__ = testing.__all__  # a list, of another module

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        return getattr(testing, name)
