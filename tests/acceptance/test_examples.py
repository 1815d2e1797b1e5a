"""Every example does what it says."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


def _run(*args: str, code: str | None = None, folder: Path | None = None, path: Path | None = None) -> str:
    given = ["-c", code] if code else list(args)
    environment = {
        "PYTHONPATH": f"{_ROOT}{os.pathsep}{path or ''}",
        "PATH": "/usr/bin:/bin",
        "BEDPLATE_TELEMETRY__LOG_LEVEL": "warning",
    }
    if folder is not None:
        environment["BEDPLATE_DATA_DIR"] = str(folder)
    done = subprocess.run(
        [sys.executable, *given], cwd=folder or _ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_example_is_in_the_list() -> None:
    listed = set(re.findall(r"\]\(([\w.]+)\)", (_ROOT / "examples" / "README.md").read_text()))
    there = {path.name for path in (_ROOT / "examples").iterdir() if not path.name.startswith(("_", "README"))}
    assert there - {"flows"} == listed


def test_fastapi_app(tmp_path: Path) -> None:
    """ALL-2: about thirty lines, with a user that a token or key proves, and two injected services."""
    source = (_ROOT / "examples" / "fastapi_app.py").read_text()
    assert len(source.splitlines()) <= 30
    out = _run(
        code="""
from fastapi.testclient import TestClient
from examples.fastapi_app import app, container
with TestClient(app) as client:
    client.portal.call(container.auth().create_superuser, "ada", "an analytical engine")
    token = client.portal.call(container.auth().login, "ada", "an analytical engine").access_token
    put = lambda **headers: client.put("/notes/a.txt", files={"file": b"a note"}, headers=headers)
    print(put().status_code, put(authorization=f"Bearer {token}").json()["notes_kept"])
""",
        folder=tmp_path,
    )
    assert out.splitlines()[-1] == "403 1"


def test_typer_command(tmp_path: Path) -> None:
    out = _run("-m", "examples.typer_command", "report", folder=tmp_path)
    started = set(re.findall(r"^(\w+) .* started$", out, re.MULTILINE))
    assert {"auth", "cache", "database"} <= started
    assert not started & {"chat", "job_queue", "storage", "session"}
    out = _run("-m", "examples.typer_command", "forget", "nobody", folder=tmp_path)
    assert out == "there is no user 'nobody'\n"


def test_pytest_suite(tmp_path: Path) -> None:
    out = _run("-m", "pytest", "-q", str(_ROOT / "examples" / "pytest_suite"), folder=tmp_path)
    assert "3 passed" in out


@pytest.mark.slow
def test_third_party_backend(tmp_path: Path) -> None:
    """ALL-5: installed like any distribution, it passes the suite that Bedplate's own backends pass."""
    example = _ROOT / "examples" / "third_party_storage"
    installed = tmp_path / "site"
    shutil.copytree(example / "src" / "dict_storage", installed / "dict_storage")
    info = installed / "dict_storage-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dict-storage\nVersion: 1.0\n")
    project = tomllib.loads((example / "pyproject.toml").read_text())["project"]
    [(name, value)] = project["entry-points"]["bedplate.backends"].items()
    (info / "entry_points.txt").write_text(f"[bedplate.backends]\n{name} = {value}\n")
    assert len((example / "test_dict_storage.py").read_text().split("class TestDict")[1].splitlines()) <= 10
    out = _run("-m", "pytest", "-q", "--capabilities", str(example), folder=tmp_path, path=installed)
    assert re.search(r"\d+ passed", out)
    assert "failed" not in out
    assert "| storage | dict |" in out


def test_custom_runner() -> None:
    """SES-3: an app's own engine, with messages stored as for any run."""
    assert _run("-m", "examples.custom_runner") == "Shout: HELLO THERE\n"


def test_host_app(tmp_path: Path) -> None:
    """DB-3: both migrate in one database, and the application's autogenerate sees its own tables alone."""
    assert _run("-m", "examples.host_app") == "ada@example.org logs in as ada\n"
    # In a process of its own: the tables of the application are in the metadata that all SQLModel applications share.
    _run(
        code=f"""
from pathlib import Path
from alembic import command
from alembic.config import Config
from examples.host_app.__main__ import migrate

database = Path({str(tmp_path)!r}) / "app.db"
migrate(database)
config = Config()
config.set_main_option("script_location", "examples/host_app/migrations")
config.set_main_option("path_separator", "os")
config.set_main_option("sqlalchemy.url", f"sqlite:///{{database}}")
command.check(config)
"""
    )


@pytest.mark.parametrize("name", ["fastapi_app.py", "typer_command.py", "custom_runner", "host_app", "pytest_suite"])
def test_examples_use_public_names_alone(name: str) -> None:
    path = _ROOT / "examples" / name
    for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
        assert not re.search(r"\b(?:import|from) .*\b_[a-z]", file.read_text()), file
