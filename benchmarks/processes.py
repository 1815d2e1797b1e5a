"""What a whole process costs: CPU seconds and peak memory of a command, from the kernel's own accounts."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

__all__ = ["Cost", "run_process"]

_ROOT = Path(__file__).parent.parent


class Cost(msgspec.Struct, frozen=True):
    """Resources of a finished process.

    Attributes:
        cpu: User and system time, in seconds.
        rss: Peak resident memory, in MiB.
    """

    cpu: float
    rss: float


def run_process(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run Python with ``arguments`` to its end.

    Raises:
        RuntimeError: It ended with an error.
    """
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=_ROOT,
        env={**variables, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{arguments} ended with {process.returncode}: {errors.decode()[-2000:]}")
    return Cost(cpu=usage.ru_utime + usage.ru_stime, rss=usage.ru_maxrss / 1024)
