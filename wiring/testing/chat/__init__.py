"""What every backend of the chat service must do: a suite to run against a backend of one's own.

Subclass :class:`ChatConformance` in a test module and give it a fixture ``harness``, a :class:`ChatHarness`.
"""

from bedplate.wiring.testing.chat.copies import Copies
from bedplate.wiring.testing.chat.harness import ChatHarness
from bedplate.wiring.testing.chat.imports import Imports
from bedplate.wiring.testing.chat.messages import Messages
from bedplate.wiring.testing.chat.searching import Searching
from bedplate.wiring.testing.chat.sessions import Sessions
from bedplate.wiring.testing.chat.watching import Watching

__all__ = ["ChatConformance", "ChatHarness"]


class ChatConformance(Messages, Imports, Sessions, Watching, Searching, Copies):
    """The whole suite."""
