"""``bedplate auth``: the keys that tokens are signed with, and names that are locked."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bedplate.services.auth import KeyRotation

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def auth() -> None:
    """Rotate the keys that tokens are signed with, and unlock names."""


@app.command("rotate-keys")
def rotate_keys() -> None:
    """Sign tokens with a new key; those of the old one are good until they expire."""
    done = asyncio.run(_rotate())
    sys.stdout.write(
        f"{done.algorithm} key {done.key_id} signs from now on\n"
        f"the key before it, {done.previous_key_id}, is good until {done.previous_good_until:%Y-%m-%d %H:%M:%S} UTC\n"
    )


@app.command()
def unlock(username: Annotated[str, typer.Argument(help="The name that is locked.")]) -> None:
    """Let somebody log in again after too many failed attempts."""
    unlocked = asyncio.run(_unlock(username))
    sys.stdout.write(f"{username} is {'unlocked' if unlocked else 'not locked'}\n")


async def _unlock(username: str) -> bool:
    from bedplate.wiring.cli.boot import running

    async with running("auth") as container:
        return await container.auth().unlock(username)


async def _rotate() -> "KeyRotation":
    from bedplate.wiring.cli.boot import running

    async with running("auth") as container:
        return await container.auth().rotate_keys()
