"""``bedplate settings``: what is set, where it comes from, and what can be set. Starts nothing."""

import json
import sys
from typing import Annotated

import typer

from bedplate.services.settings import SettingsService
from bedplate.services.settings.reference import env_template, json_schema, settings_in_use
from bedplate.wiring.cli.output import Format, print_json, print_table

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def settings() -> None:
    """Show the settings, their origin, and what can be set."""


@app.command()
def show(
    output: Annotated[Format, typer.Option("--format", help="How to print them.")] = Format.TABLE,
    changed: Annotated[bool, typer.Option("--changed", help="Leave out those that have their default.")] = False,
) -> None:
    """Show every setting with its value and origin; secrets are masked."""
    found = [one for one in settings_in_use(SettingsService()) if not (changed and one.origin == "default")]
    if output is Format.JSON:
        print_json({one.key: {"value": one.value, "origin": one.origin} for one in found})
    else:
        print_table(("setting", "value", "origin"), ((one.key, _plain(one.value), one.origin) for one in found))


@app.command()
def schema() -> None:
    """Print the JSON schema of bedplate.toml."""
    print_json(json_schema())


@app.command()
def env() -> None:
    """Print a .env file in which every setting stands with its meaning and default, commented out."""
    sys.stdout.write(env_template())


def _plain(value: object) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
