"""What the page on testing shows works as typed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
_BLOCKS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", _PAGE, re.DOTALL))
_PASSED = {
    "test_application.py": 3,
    "test_language_model.py": 1,
    "test_cancellation.py": 1,
    "test_my_cache.py": 40,
}
"""At least so many tests."""


def test_every_example_is_run() -> None:
    assert set(_BLOCKS) == set(_PASSED)
    assert _PAGE.count("```python") == len(_BLOCKS)


@pytest.mark.parametrize("name", sorted(_PASSED))
def test_example(name: str, tmp_path: Path) -> None:
    """ALL-5: in a project of its own that knows nothing of Bedplate's tests."""
    (tmp_path / name).write_text(_BLOCKS[name])
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= _PASSED[name]
