"""The generated reference pages."""

from pathlib import Path

import pytest

from bedplate.services.settings import Settings
from bedplate.services.settings.keys import environment_name, fields_of
from bedplate.wiring.cli.app import COMMANDS
from bedplate.wiring.cli.docs import main, pages

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize("name", sorted(pages()))
def test_committed_page_is_the_generated_one(name: str) -> None:
    """SET-4: run `make docs` when this fails."""
    assert (REFERENCE / name).read_text() == pages()[name]


def test_every_setting_and_command_has_its_line(folder: Path) -> None:
    """SET-4"""
    main(folder / "reference")
    settings = (folder / "reference" / "settings.md").read_text()
    assert [name for key in fields_of(Settings) if f"| `{(name := environment_name(key))}` | " not in settings] == []
    commands = (folder / "reference" / "command-line.md").read_text()
    assert [name for name in COMMANDS if f"## bedplate {name}" not in commands] == []
