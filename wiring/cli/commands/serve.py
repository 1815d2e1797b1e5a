"""``bedplate serve``."""

import asyncio
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on, in place of the setting.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, in place of the setting.")] = None,
) -> None:
    """Start the services and answer over HTTP."""
    from bedplate.containers import application_container
    from bedplate.services.settings import SettingsService
    from bedplate.wiring.cli.server import serve as serve_http

    given: dict[str, Any] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    container = application_container(SettingsService(server=given) if given else None)
    raise typer.Exit(asyncio.run(serve_http(container)))
