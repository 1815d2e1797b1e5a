"""The distribution, as a user gets it: a wheel in an empty environment."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_ROOT = Path(__file__).parents[2]


def _uv() -> str:
    found = shutil.which("uv") or str(_ROOT / ".uv/bin/uv")
    assert Path(found).exists(), "uv is neither on the PATH nor in .uv/bin: run make setup"
    return found


def _run(*command: str | Path, cwd: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bedplate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed from a wheel into an environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(_uv(), "build", "--wheel", "--out-dir", folder, "--quiet", cwd=_ROOT)
    (wheel,) = folder.glob("*.whl")
    _run(_uv(), "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    python = folder / "venv/bin/python"
    requirements = folder / "requirements.txt"
    exported = _run(_uv(), "export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--quiet", cwd=_ROOT)
    requirements.write_text(exported)
    _run(_uv(), "pip", "install", "--quiet", "--python", python, "-r", requirements, wheel, cwd=folder)
    return folder / "venv/bin/bedplate"


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A directory with a ``services`` folder of its own."""
    package = tmp_path / "services"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('this is not the services package you look for')\n")
    return tmp_path


def test_version(bedplate: Path, workplace: Path) -> None:
    assert re.fullmatch(r"bedplate \d+\.\d+\.\d+\n", _run(bedplate, "--version", cwd=workplace))


def test_nothing_at_the_top_level_but_bedplate(bedplate: Path, workplace: Path) -> None:
    code = "import importlib.metadata as m; print(*{f.parts[0] for f in m.files('bedplate') if f.suffix == '.py'})"
    assert _run(bedplate.parent / "python", "-c", code, cwd=workplace).split() == ["bedplate"]


@pytest.fixture
def server(bedplate: Path, workplace: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"PATH": os.environ["PATH"], "BEDPLATE_SERVER__PORT": str(port)}
    log = workplace / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([bedplate, "serve"], cwd=workplace, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while "/setup?token=" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_serves_in_a_directory_with_a_services_folder_of_its_own(server: str, workplace: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            answer = httpx.get(f"{server}/readyz")
            break
        except httpx.ConnectError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert answer.json() == {"status": "up"}
    page = httpx.get(f"{server}/dashboard/sign-in")
    assert page.status_code == 200
    for asset in re.findall(r'(?:href|src)="(/dashboard/static/[^"]+)"', page.text):
        assert httpx.get(f"{server}{asset}").status_code == 200, asset
    assert (workplace / "data/bedplate.db").exists()
