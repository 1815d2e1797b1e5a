"""What every backend of the job queue must do: a suite to run against a backend of one's own.

Subclass :class:`JobQueueConformance` in a test module and give it a fixture ``harness``, a :class:`JobQueueHarness`.
"""

from bedplate.wiring.testing.job_queue.elsewhere import Elsewhere
from bedplate.wiring.testing.job_queue.endings import Endings
from bedplate.wiring.testing.job_queue.harness import JobQueueHarness, Work
from bedplate.wiring.testing.job_queue.logs import Logs
from bedplate.wiring.testing.job_queue.machine import Machine
from bedplate.wiring.testing.job_queue.polls import Polls
from bedplate.wiring.testing.job_queue.watching import Watching

__all__ = ["JobQueueConformance", "JobQueueHarness", "Work"]


class JobQueueConformance(Logs, Polls, Endings, Watching, Elsewhere, Machine):
    """The whole suite."""
