"""The command ``bedplate``: its commands by name, imported when called."""

import keyword
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from bedplate import __version__
from bedplate.services.errors import BedplateError

__all__ = ["COMMANDS", "app", "module_of", "run"]

COMMANDS = {
    "serve": "Start the services and answer over HTTP.",
    "worker": "Start the services and execute background tasks, from the database or as Celery delivers them.",
    "settings": "Show the settings, their origin, and what can be set.",
    "doctor": "Look for what will go wrong, in settings, files and database; exit code 1 if there is an error.",
    "db": "Look after the database: its schema, backups.",
    "auth": "Rotate the keys that tokens are signed with, and unlock names.",
    "superuser": "Make a superuser.",
    "variables": "List, set and delete the variables of a user; encrypt all of them with a new key.",
    "import": "Carry over what another system holds.",
    "tasks": "List, show, cancel and requeue background tasks.",
    "services": "Start every service, report on it, and stop again.",
    "graph": "Draw which service needs which, as Mermaid, without starting any.",
    "version": "Print the version.",
}
"""What each command is for, as its help says."""


def module_of(command: str) -> Any:
    """Import the module of a command: the one of its name, with an underscore after a word that Python keeps."""
    return import_module(f"bedplate.wiring.cli.commands.{command}{'_' * keyword.iskeyword(command)}")


class LazyGroup(TyperGroup):
    """A group that knows the names of its commands, and imports the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, summary in COMMANDS.items():
            self.add_command(TyperCommand(name, help=summary, rich_markup_mode=self.rich_markup_mode))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Replace the placeholder of the called command by the command."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            command = typer.main.get_command(module_of(name).app)
        return name, command, rest


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bedplate {__version__}")
        raise typer.Exit


@app.callback()
def bedplate(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """The service layer under an LLM-flow or agent backend."""


def run(args: Sequence[str]) -> int:
    """Run a command; return its exit code.

    An error of Bedplate is printed as what, why and fix, without a traceback: 2 for the configuration, 1 otherwise.
    """
    try:
        typer.main.get_command(app)(args, prog_name="bedplate")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except BedplateError as error:
        from bedplate.wiring.cli.output import print_error

        return print_error(error)
    return 0
