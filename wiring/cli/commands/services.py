"""``bedplate services``: the startup report."""

import asyncio
import sys
from typing import Annotated

import typer

from bedplate.wiring.cli.output import Format

app = typer.Typer(add_completion=False)


@app.command()
def services(
    output: Annotated[Format, typer.Option("--format", help="How to print the report.")] = Format.TABLE,
) -> None:
    """Start every service, report on it, and stop again."""
    sys.stdout.write(f"{asyncio.run(_report(output))}\n")


async def _report(output: Format) -> str:
    from bedplate.containers import application_container

    async with application_container().running() as container:
        report = container.report
        return report.json().decode() if output is Format.JSON else report.table()
