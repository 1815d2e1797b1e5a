"""A command line that starts the two services that a command uses: python -m examples.typer_command."""

import asyncio

import typer

from bedplate.containers import ApplicationContainer
from bedplate.services.auth.errors import UserNotFoundError

app = typer.Typer()


@app.command()
def forget(username: str) -> None:
    """Forget what the cache holds of a user."""
    typer.echo(asyncio.run(_forget(username)))


@app.command()
def report() -> None:
    """Show what a command of this line starts."""
    typer.echo(asyncio.run(_report()))


async def _forget(username: str) -> str:
    container = ApplicationContainer()
    async with container.running(container.auth, container.cache):
        try:
            user = await container.auth().users.named(username)
        except UserNotFoundError:
            return f"there is no user {username!r}"
        await container.cache().namespace(f"user-{user.id}").clear()
        return f"what the cache held of {user.username} is gone"


async def _report() -> str:
    container = ApplicationContainer()
    async with container.running(container.auth, container.cache):
        return container.report.table()


if __name__ == "__main__":
    app()
