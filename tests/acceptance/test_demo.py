"""The demo, as `make demo` runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

_ROOT = Path(__file__).parents[2]


def test_every_step_is_as_it_should_be() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo"], cwd=_ROOT, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all as they should be" in done.stdout
