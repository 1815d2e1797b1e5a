"""A process of `bedplate worker`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["Worker", "worker"]


class Worker:
    """A worker in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.printed = ""

    def ready(self) -> None:
        """Wait until it says that it is."""
        assert self.process.stdout is not None
        while "Worker:  ready" not in self.printed:
            line = self.process.stdout.readline()
            assert line, f"ended with {self.process.wait()}: {self.process.communicate()[1]}"
            self.printed += line

    def end(self, signum: signal.Signals) -> tuple[int, str]:
        """Send a signal; return the exit code and what was written to standard error."""
        self.process.send_signal(signum)
        _out, err = self.process.communicate()
        return self.process.returncode, err


@contextmanager
def worker(*args: str, environment: Mapping[str, str] | None = None) -> Iterator[Worker]:
    """Run one for the length of a block, at whose end it is killed if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "bedplate", "worker", *args],
        env=None if environment is None else os.environ | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()
