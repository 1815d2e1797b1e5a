"""``bedplate auth``."""

import asyncio
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from bedplate.services.auth import KeyRotation

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def auth() -> None:
    """Look after the keys that tokens are signed with."""


@app.command("rotate-keys")
def rotate_keys() -> None:
    """Sign tokens with a new key; those of the old one are good until they expire."""
    done = asyncio.run(_rotate())
    sys.stdout.write(
        f"{done.algorithm} key {done.key_id} signs from now on\n"
        f"the key before it, {done.previous_key_id}, is good until {done.previous_good_until:%Y-%m-%d %H:%M:%S} UTC\n"
    )


async def _rotate() -> "KeyRotation":
    from bedplate.wiring.cli.boot import running

    async with running("auth") as container:
        return await container.auth().rotate_keys()
