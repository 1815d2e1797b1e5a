"""The generated reference pages."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bedplate.services.auth.errors import InvalidTokenError, MissingCredentialsError
from bedplate.services.database.errors import DatabaseBusyError
from bedplate.services.job_queue.errors import JobNotFoundError
from bedplate.services.schema import ServiceType
from bedplate.services.settings import Settings
from bedplate.services.settings.keys import environment_name, fields_of
from bedplate.services.variable.errors import VariableExistsError
from bedplate.wiring.cli.app import COMMANDS
from bedplate.wiring.cli.docs import main, pages
from bedplate.wiring.cli.error_pages import error_pages
from bedplate.wiring.cli.overview import BEGIN, END, services_table, with_services_table
from bedplate.wiring.http.errors import status_of

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize("name", sorted(pages()))
def test_committed_page_is_the_generated_one(name: str) -> None:
    """SET-4: run `make docs` when this fails."""
    assert (REFERENCE / name).read_text() == pages()[name]


@pytest.fixture(scope="module")
def made() -> Mapping[str, str]:
    """The pages of errors, as read from the source."""
    return error_pages()


def test_there_is_a_page_for_every_code_of_an_error_and_no_other(made: Mapping[str, str]) -> None:
    """ALL-3: run `make docs` when this fails."""
    folder = REFERENCE.parent / "errors"
    assert {path.name for path in folder.glob("*.md")} == made.keys()
    assert [name for name, text in made.items() if (folder / name).read_text() != text] == []


def test_pages_of_errors_say_what_the_classes_do(made: Mapping[str, str]) -> None:
    """ALL-3: read from the source, they agree with the classes themselves."""
    for kind in (JobNotFoundError, VariableExistsError, MissingCredentialsError, InvalidTokenError, DatabaseBusyError):
        error = kind.__new__(kind)
        page = made[f"{kind.code}.md"]
        assert f"- class: `{kind.__module__}.{kind.__name__}`" in page
        assert f"- HTTP: {int(status_of(error))} " in page
        assert (kind.__doc__ or "").splitlines()[0].replace("``", "`") in page


def test_every_setting_and_command_has_its_line(folder: Path) -> None:
    """SET-4"""
    readme = folder / "README.md"
    readme.write_text(f"# Title\n{BEGIN}\nold\n{END}\nrest\n")
    main(folder / "reference", readme)
    assert readme.read_text() == f"# Title\n{BEGIN}\n{services_table()}\n{END}\nrest\n"
    settings = (folder / "reference" / "settings.md").read_text()
    assert [name for key in fields_of(Settings) if f"| `{(name := environment_name(key))}` | " not in settings] == []
    commands = (folder / "reference" / "command-line.md").read_text()
    assert [name for name in COMMANDS if f"## bedplate {name}" not in commands] == []


def test_the_table_in_the_readme_is_the_generated_one() -> None:
    """ALL-2: run `make docs` when this fails."""
    text = (REFERENCE.parents[1] / "README.md").read_text()
    assert with_services_table(text) == text


def test_the_table_has_every_service_once_with_its_backends() -> None:
    """ALL-2: the default one first."""
    rows = {row.split(" | ")[0].strip("| "): row.split(" | ")[1:] for row in services_table().splitlines()[2:]}
    assert list(rows) == [str(name) for name in ServiceType]
    assert rows["cache"][1] == "memory, disk, redis, two_tier |"
    assert rows["storage"][1] == "local, s3 |"
    for about, backends in rows.values():
        assert about
        assert backends.strip("| ")


def test_a_text_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks"):
        with_services_table(f"# Title\n{BEGIN}\n")
