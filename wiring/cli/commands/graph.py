"""``bedplate graph``: the services as a drawing."""

import sys

import typer

app = typer.Typer(add_completion=False)


@app.command()
def graph() -> None:
    """Draw which service needs which, as Mermaid, without starting any."""
    from bedplate.containers import ApplicationContainer

    sys.stdout.write(f"{ApplicationContainer().report.mermaid()}\n")
