"""What a service says of itself and of its operations, as its docstrings have it."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from markupsafe import Markup, escape

from bedplate.services.base import Service

__all__ = ["Member", "members_of", "prose"]

_MODULES = re.compile(r"\b(?:[a-z_]\w*\.)+(?=\w)")
_CODE = re.compile(r"``(.+?)``|:\w+:`~?([^`]+)`")


class Member(msgspec.Struct, frozen=True):
    """A public operation.

    Attributes:
        name: As it is counted: of a part of the service with its name before it, ``"users.create"``.
        signature: Its arguments and what it returns.
        text: What it does.
    """

    name: str
    signature: str
    text: str


def members_of(service: object) -> list[Member]:
    """The operations of a service and of its parts; not what starts, stops and watches it, which the container does."""
    found = list(_members(type(service), ""))
    for name, part in service.parts() if isinstance(service, Service) else ():
        if name:
            found += _members(type(part), f"{name}.")
    return found


def prose(text: str) -> Markup:
    """A docstring as HTML: escaped, and what it marks as code is code."""

    def code(match: re.Match[str]) -> str:
        plain, role = match.groups()
        return f"<code>{plain or (role.rpartition('.')[2] if match[0].find('~') > 0 else role)}</code>"

    return Markup(_CODE.sub(code, str(escape(text))))  # noqa: S704 - escaped, and only elements put around what was


def _members(kind: type[Any], prefix: str) -> Iterator[Member]:
    for name, member in inspect.getmembers(kind, callable):
        if name.startswith("_") or hasattr(Service, name) or not member.__module__.startswith("bedplate."):
            continue
        if text := inspect.getdoc(member):
            yield Member(f"{prefix}{name}", _signature(member), text)


def _signature(member: Any) -> str:
    signature = inspect.signature(member)
    own = [one for name, one in signature.parameters.items() if name != "self"]
    return _MODULES.sub("", str(signature.replace(parameters=own)))
