"""What every backend of the task service must do: a suite to run against a backend of one's own.

Subclass :class:`TaskConformance` in a test module, say what the backend can do, and give it a fixture ``harness``::

    class TestMyBackend(TaskConformance):
        prioritises = False

        @pytest.fixture
        async def harness(self, tmp_path, database):
            harness = MyHarness(tmp_path, database)  # a TaskHarness
            yield harness
            await harness.close()
"""

from bedplate.wiring.testing.task.cancelling import Cancelling
from bedplate.wiring.testing.task.execution import Execution
from bedplate.wiring.testing.task.harness import Function, Node, TaskHarness
from bedplate.wiring.testing.task.machine import Machine
from bedplate.wiring.testing.task.recovery import Recovery
from bedplate.wiring.testing.task.submitting import Submitting

__all__ = ["Function", "Node", "TaskConformance", "TaskHarness"]


class TaskConformance(Execution, Cancelling, Submitting, Recovery, Machine):
    """The whole suite."""
