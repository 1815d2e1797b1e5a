"""Asking for what must not stand on a command line, where every user of the machine can read it."""

import sys

import typer

from bedplate.services.errors import InvalidInputError

__all__ = ["ask_secret"]

_MAX_CHARACTERS = 1024 * 1024


def ask_secret(prompt: str, *, from_stdin: bool, option: str) -> str:
    """A secret from standard input, without its last newline, or typed twice on the terminal without being shown.

    Args:
        prompt: What is asked for.
        from_stdin: Whether it is read from standard input.
        option: The option that makes it so, to name where there is no terminal.

    Raises:
        InvalidInputError: There is nothing on standard input, or too much, or no terminal to ask on.
    """
    if from_stdin:
        return _read(prompt.lower())
    if not sys.stdin.isatty():
        raise InvalidInputError("there is no terminal to ask on", fix=f"use {option}")
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=True))


def _read(what: str) -> str:
    try:
        text = sys.stdin.read(_MAX_CHARACTERS + 1).removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise InvalidInputError(f"the {what} on standard input is not UTF-8", fix="encode it as UTF-8")
    if not text:
        raise InvalidInputError("standard input is empty", fix=f"write the {what} to it")
    if len(text) > _MAX_CHARACTERS:
        raise InvalidInputError(f"the {what} on standard input is too long", fix="write nothing else to it")
    return text
