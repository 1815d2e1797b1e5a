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
    from dependency_injector.providers import Object

    from bedplate.containers import application_container
    from bedplate.services.settings import SettingsService

    container = application_container()
    # Whoever looks takes over nothing: neither the tasks nor the jobs of processes that died.
    container.settings.override(Object(SettingsService(task={"execute": False}, job_queue={"recover": False})))
    async with container.running():
        report = container.report
        return report.json().decode() if output is Format.JSON else report.table()
