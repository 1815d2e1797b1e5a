"""Running commands: in this process, or in one of their own where the process is what matters."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bedplate.services.base import Service
from bedplate.wiring.cli.app import run


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of the test's own, and an environment without settings."""
    for name in os.environ:
        if name.upper().startswith("BEDPLATE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("BEDPLATE_PROFILE", "test")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def bedplate(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run a command in this process."""

    def call(*args: str) -> Result:
        code = run(args)
        return Result(code, *capsys.readouterr())

    return call


@pytest.fixture
def python() -> Callable[..., Result]:
    """Run an interpreter with these arguments."""

    def call(*args: str, stdin: str = "") -> Result:
        done = subprocess.run([sys.executable, *args], input=stdin, capture_output=True, text=True, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a text on standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the classes of all services that are started from now on."""
    names: list[str] = []
    start = Service.start

    async def recorded(service: Service) -> None:
        names.append(type(service).__name__)
        await start(service)

    monkeypatch.setattr(Service, "start", recorded)
    return names
