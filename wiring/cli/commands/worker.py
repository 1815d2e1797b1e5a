"""``bedplate worker``."""

import asyncio
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False)


@app.command()
def worker(
    concurrency: Annotated[int | None, typer.Option(min=1, help="Most tasks at once, in place of the setting.")] = None,
    module: Annotated[
        list[str] | None, typer.Option(help="Module that registers tasks, in place of the setting; may be repeated.")
    ] = None,
) -> None:
    """Start the services and execute background tasks.

    SIGTERM or SIGINT ends it: running tasks may go on for BEDPLATE_TASK__DRAIN_TIMEOUT, and what has not ended then is
    given back, for another worker or the next start; a second signal gives back at once.
    """
    from dependency_injector.providers import Object

    from bedplate.containers import application_container
    from bedplate.services.settings import SettingsService
    from bedplate.wiring.cli.worker import work

    given: dict[str, Any] = {"execute": True}
    if concurrency is not None:
        given["concurrency"] = concurrency
    if module:
        given["modules"] = tuple(module)
    container = application_container()
    container.settings.override(Object(SettingsService(task=given)))
    raise typer.Exit(asyncio.run(work(container)))
