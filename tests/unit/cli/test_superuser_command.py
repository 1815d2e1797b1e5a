"""``bedplate superuser create``."""

import asyncio
import contextlib
import fcntl
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedplate.services.auth.errors import InvalidCredentialsError
from bedplate.wiring.cli.boot import running

PASSWORD = "correct horse battery"


async def login(username: str, password: str) -> bool:
    async with running("auth") as container:
        try:
            await container.auth().login(username, password)
        except InvalidCredentialsError:
            return False
        return True


def test_password_from_standard_input(bedplate: Callable[..., Any], typed: Callable[[str], None]) -> None:
    """AUTH-6: whoever has the machine can make a superuser, with a password that no process list shows."""
    typed(f"{PASSWORD}\n")
    result = bedplate("superuser", "create", "root", "--password-stdin")
    assert (result.code, result.out) == (0, "root is a superuser now\n"), result.err
    assert PASSWORD not in result.err
    assert asyncio.run(login("root", PASSWORD))
    assert not asyncio.run(login("root", f"{PASSWORD}\n"))


def test_password_typed_on_a_terminal(folder: Path) -> None:
    """AUTH-6: asked for twice, and never shown."""
    terminal, inside = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "bedplate", "superuser", "create", "root"],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        os.close(inside)
        shown = b""
        for prompt in (b"Password: ", b"confirmation: "):  # the space comes when the terminal has ceased to echo
            while prompt not in shown:
                shown += os.read(terminal, 1024)
            os.write(terminal, f"{PASSWORD}\n".encode())
        with contextlib.suppress(OSError):  # how a terminal says that the other side has gone
            while True:
                shown += os.read(terminal, 1024)
    os.close(terminal)
    assert process.returncode == 0
    assert b"root is a superuser now" in shown
    assert PASSWORD.encode() not in shown
    assert asyncio.run(login("root", PASSWORD))


def test_name_that_is_taken(bedplate: Callable[..., Any], typed: Callable[[str], None]) -> None:
    """AUTH-6"""
    for code in (0, 1):
        typed(f"{PASSWORD}\n")
        result = bedplate("superuser", "create", "root", "--password-stdin")
        assert result.code == code
    assert "Error: auth:" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("text", ["", "\n"])
def test_nothing_on_standard_input(text: str, bedplate: Callable[..., Any], typed: Callable[[str], None]) -> None:
    typed(text)
    result = bedplate("superuser", "create", "root", "--password-stdin")
    assert result.code == 1
    assert "standard input is empty" in result.err


def test_no_terminal_to_ask_on(bedplate: Callable[..., Any], typed: Callable[[str], None]) -> None:
    """A script that forgot the option must not hang, nor show the password."""
    typed(f"{PASSWORD}\n")
    result = bedplate("superuser", "create", "root")
    assert result.code == 1
    assert "fix: use --password-stdin" in result.err
