"""``bedplate version``."""

import sys

import typer

from bedplate import __version__

app = typer.Typer(add_completion=False)


@app.command()
def version() -> None:
    """Print the version."""
    sys.stdout.write(f"bedplate {__version__}\n")
