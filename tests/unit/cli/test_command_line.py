"""The command as a whole: what it imports, what it answers, how it fails."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from bedplate import __version__
from bedplate.containers.errors import StartError
from bedplate.services.errors import BedplateError, ConfigurationError, ConflictError, UnavailableError
from bedplate.wiring.cli.app import COMMANDS, module_of
from bedplate.wiring.cli.output import print_error

HEAVY = ["fastapi", "dependency_injector", "sqlalchemy", "pydantic", "uvicorn", "cryptography", "alembic"]


@pytest.mark.parametrize("args", [["--help"], [], ["--version"], ["version"]])
def test_command_line_alone_imports_neither_fastapi_nor_the_container(
    args: list[str], python: Callable[..., Any]
) -> None:
    """The design card: `bedplate --help` costs no container."""
    code = (
        f"import sys; sys.argv[1:] = {args}\nfrom bedplate.__main__ import main\n"
        f"try: main()\nexcept SystemExit: pass\n"
        f"print([name for name in {[*HEAVY, 'bedplate.containers']} if name in sys.modules])"
    )
    assert python("-c", code).out.splitlines()[-1] == "[]"


@pytest.mark.parametrize("args", [["--version"], ["version"]])
def test_version_imports_nothing_but_the_package(args: list[str], python: Callable[..., Any]) -> None:
    """The design card: `bedplate --version` is as quick as an interpreter."""
    code = (
        f"import sys; before = set(sys.modules); sys.argv[1:] = {args}\nfrom bedplate.__main__ import main; main()\n"
        "print(sorted(set(sys.modules) - before))"
    )
    assert python("-c", code).out.splitlines()[-1] == "['bedplate', 'bedplate.__main__']"


@pytest.mark.parametrize("args", [["--version"], ["version"], ["version", "--help"]])
def test_version(args: list[str], python: Callable[..., Any]) -> None:
    result = python("-m", "bedplate", *args)
    assert result.code == 0
    assert result.err == ""
    if args[-1] != "--help":
        assert result.out == f"bedplate {__version__}\n"


def test_version_before_other_words(bedplate: Callable[..., Any]) -> None:
    assert bedplate("--version", "settings").out == f"bedplate {__version__}\n"


def test_help_names_every_command(bedplate: Callable[..., Any]) -> None:
    result = bedplate("--help")
    assert result.code == 0
    for name, summary in COMMANDS.items():
        assert re.search(rf"\b{name}\b", result.out)
        assert summary.split(",")[0].rstrip(".") in result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_of_itself_what_the_list_says(name: str, bedplate: Callable[..., Any]) -> None:
    command = typer.main.get_command(module_of(name).app)
    assert (command.help or "").partition("\n\n")[0] == COMMANDS[name]
    assert bedplate(name, "--help").code == 0


def test_unknown_command_names_the_nearest(bedplate: Callable[..., Any]) -> None:
    result = bedplate("setings")
    assert result.code == 2
    assert "Did you mean 'settings'?" in result.err


def test_services_shows_the_startup_report(bedplate: Callable[..., Any], folder: Path) -> None:
    """The report of a start, and nothing left running."""
    result = bedplate("services", "--format", "json")
    assert result.code == 0, result.err
    states = {one["name"]: one["state"] for one in json.loads(result.out)["services"]}
    assert states["database"] == "started"
    assert states["settings"] == "started"
    assert "started in" in bedplate("services").out
    assert (folder / "data").is_dir()


def test_graph_starts_nothing(bedplate: Callable[..., Any], folder: Path) -> None:
    result = bedplate("graph")
    assert result.code == 0
    assert result.out.startswith("flowchart ")
    assert "s_database --> s_settings" in result.out
    assert list(folder.iterdir()) == []


def test_wrong_settings_are_listed_without_a_traceback(
    bedplate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SET-2: what, where from, how to mend it, for each; exit code 2."""
    monkeypatch.setenv("BEDPLATE_PORT", "8080")
    monkeypatch.setenv("BEDPLATE_SECRET_KEY", "hunter2")
    for command in (["settings", "show"], ["services"], ["graph"]):
        result = bedplate(*command)
        assert result.code == 2
        assert result.out == ""
        assert "Error: settings: 2 settings are wrong" in result.err
        assert "did you mean BEDPLATE_SERVER__PORT?" in result.err
        assert "environment BEDPLATE_SECRET_KEY" in result.err
        assert "hunter2" not in result.err
        assert "Traceback" not in result.err


def test_service_that_does_not_start_is_named_without_a_traceback(bedplate: Callable[..., Any], folder: Path) -> None:
    """SET-6: a damaged secret key, as a person at the terminal sees it."""
    (folder / "data").mkdir()
    (folder / "data" / "secret_key").touch(mode=0o600)
    result = bedplate("services")
    assert result.code == 2
    assert "could not start 1 service" in result.err
    assert "keyring: the secret key file is empty" in result.err
    assert "fix: restore it from the backup" in result.err
    assert "Traceback" not in result.err
    assert (folder / "data" / "secret_key").read_text() == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConflictError("taken", service="auth", fix="choose another"), 1),
        (ConfigurationError("bad", why="because"), 2),
        (StartError({"a": UnavailableError("down")}, {"a": "down"}, {}), 1),
        (StartError({"a": UnavailableError("down"), "b": ConfigurationError("bad")}, {"a": "", "b": ""}, {}), 2),
        (StartError({"a": RuntimeError("x")}, {"a": "RuntimeError: x"}, {}), 1),
    ],
)
def test_errors_end_with_a_code_by_their_kind(
    error: BedplateError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert print_error(error) == code
    shown = capsys.readouterr().err
    for part in (error.what.partition(":")[0], error.why, error.fix):
        assert part is None or part in shown


def test_text_of_an_error_is_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(ConfigurationError("[bold]x[/nonsense]", fix="pip install 'bedplate[redis]'"))
    shown = capsys.readouterr().err
    assert "[bold]x[/nonsense]" in shown
    assert "bedplate[redis]" in shown


def test_entry_point_is_the_command() -> None:
    """`bedplate` on the path is `python -m bedplate`."""
    from importlib.metadata import entry_points

    (entry,) = entry_points(group="console_scripts", name="bedplate")
    assert entry.value == "bedplate.__main__:main"
    assert entry.load() is sys.modules["bedplate.__main__"].main
