"""``bedplate graph``: the services as a drawing."""

import sys

import typer

app = typer.Typer(add_completion=False)


@app.command()
def graph() -> None:
    """Draw which service needs which, as Mermaid, without starting any."""
    from bedplate.containers import application_container

    sys.stdout.write(f"{application_container().report.mermaid()}\n")
