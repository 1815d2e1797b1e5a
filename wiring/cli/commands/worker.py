"""``bedplate worker``."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bedplate.containers import ApplicationContainer
    from bedplate.services.settings import SettingsService

app = typer.Typer(add_completion=False)


@app.command()
def worker(
    concurrency: Annotated[int | None, typer.Option(min=1, help="Most tasks at once, in place of the setting.")] = None,
    module: Annotated[
        list[str] | None, typer.Option(help="Module that registers tasks, in place of the setting; may be repeated.")
    ] = None,
) -> None:
    """Start the services and execute background tasks, from the database or as Celery delivers them.

    SIGTERM or SIGINT ends it: running tasks may go on for BEDPLATE_TASK__DRAIN_TIMEOUT, and what has not ended then is
    given back, for another worker or the next start; a second signal gives back at once.
    """
    from dependency_injector.providers import Object

    from bedplate.containers import ApplicationContainer, application_container
    from bedplate.services.settings import SettingsService
    from bedplate.services.task.factory import build_task
    from bedplate.wiring.cli.worker import work

    given: dict[str, Any] = {"execute": True}
    if concurrency is not None:
        given |= {"concurrency": concurrency, "worker_processes": concurrency}
    if module:
        given["modules"] = tuple(module)

    def make() -> ApplicationContainer:
        container = application_container()
        container.settings.override(Object(SettingsService(task=given)))
        return container

    settings = SettingsService(task=given)
    if build_task.choose(settings).backend.name == "celery":
        raise typer.Exit(_work_for_celery(make, settings))
    raise typer.Exit(asyncio.run(work(make())))


def _work_for_celery(make: "Callable[[], ApplicationContainer]", settings: "SettingsService") -> int:
    from bedplate.services.errors import MissingExtraError

    try:
        from bedplate.wiring.celery import work
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("bedplate"):
            raise
        raise MissingExtraError("celery", module=error.name or "celery", service="task") from error
    return work(make, settings)
