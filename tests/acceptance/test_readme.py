"""What the README shows works as typed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
_BIN = Path(sys.executable).parent


def _block(file_name: str) -> str:
    """The code block of the README that begins with a comment naming the file."""
    (block,) = re.findall(rf"```python\n(# {re.escape(file_name)}.*?)```", _README, re.DOTALL)
    return block


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_app_in_under_thirty_lines(tmp_path: Path) -> None:
    """ALL-1: a wired FastAPI app."""
    code = _block("app.py")
    assert len(code.splitlines()) < 30
    (tmp_path / "app.py").write_text(code)
    (tmp_path / "try_it.py").write_text(
        "from fastapi.testclient import TestClient\n"
        "from app import app\n"
        "with TestClient(app) as client:\n"
        "    print(client.get('/visits/home').json()['visits'], client.get('/visits/home').json()['visits'])\n"
        "    operation = client.get('/openapi.json').json()['paths']['/visits/{page}']['get']\n"
        "    print([parameter['name'] for parameter in operation['parameters']])\n"
    )
    assert _run(tmp_path, sys.executable, "try_it.py").splitlines()[-2:] == ["1 2", "['page']"]


def test_override_in_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_greeting.py").write_text(_block("test_greeting.py"))
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    assert "1 passed" in _run(tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_command_that_boots_what_it_uses(tmp_path: Path) -> None:
    (tmp_path / "rotate.py").write_text(_block("rotate.py"))
    report = _run(tmp_path, sys.executable, "rotate.py")
    assert re.search(r"^cache .* started$", report, re.MULTILINE)
    assert not re.search(r"^database .* started$", report, re.MULTILINE)


def test_task_is_executed(tmp_path: Path) -> None:
    """TASK-1: registered, submitted and executed as shown."""
    (tmp_path / "reports.py").write_text(_block("reports.py"))
    (tmp_path / "submit.py").write_text(
        "import asyncio\n"
        "from bedplate.wiring import initialize_services, teardown_services\n"
        "from bedplate.wiring.deps import get_task_service\n"
        "async def main():\n"
        "    await initialize_services()\n"
        "    from reports import build_report\n"
        "    tasks = get_task_service()\n"
        "    run = await tasks.submit(None, build_report, {'month': '2026-11'})\n"
        "    print(await tasks.result(None, run.id))\n"
        "    await teardown_services()\n"
        "asyncio.run(main())\n"
    )
    environment = os.environ | {"BEDPLATE_TASK__MODULES": "reports", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "submit.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "{'pages': 12}", done.stdout + done.stderr


def _commands() -> list[list[str]]:
    lines = re.findall(r"^\$ (bedplate [^#\n]+)", _README, re.MULTILINE)
    return [line.split() for line in lines]


@pytest.mark.parametrize("command", _commands(), ids=" ".join)
def test_command_line(command: list[str], tmp_path: Path) -> None:
    if command[1] == "superuser":
        command = [*command, "--password-stdin"]  # it asks at a terminal, which a test has none of
    done = subprocess.run(
        [_BIN / command[0], *command[1:]],
        cwd=tmp_path,
        input="a password\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", _README):
        assert (_ROOT / target).exists(), target
