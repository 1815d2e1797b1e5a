"""What tests of an application use; see :mod:`bedplate.wiring.testing`."""

from bedplate.wiring.testing import *  # noqa: F403  # a second name for the same module
