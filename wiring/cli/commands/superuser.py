"""``bedplate superuser``."""

import asyncio
import sys
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def superuser() -> None:
    """Make a superuser."""


@app.command()
def create(
    username: Annotated[str, typer.Argument(help="The name to log in with.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
    ] = False,
) -> None:
    """Make a superuser; the password is asked for."""
    from bedplate.wiring.cli.ask import ask_secret

    password = ask_secret("Password", from_stdin=password_stdin, option="--password-stdin")
    asyncio.run(_create(username, password))
    sys.stdout.write(f"{username} is a superuser now\n")


async def _create(username: str, password: str) -> None:
    from bedplate.wiring.cli.boot import running

    async with running("auth") as container:
        await container.auth().create_superuser(username, password)
