"""What the doctor looks at on behalf of the store service."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from bedplate.services.checks import Check, Severity, Surroundings, Trouble, check, is_public

__all__ = ["CHECKS"]


@check("store.remote-in-clear", Severity.WARNING, "Keys for a remote store do not travel in clear")
def _remote_in_clear(store: Any, around: Surroundings) -> Iterator[Trouble]:
    url = around.values.store.remote_url
    if store.backend == "local" or url is None:
        return
    parts = urlsplit(url)
    if parts.scheme == "http" and is_public(parts.hostname or ""):
        yield Trouble(
            "the remote store is called over plain HTTP, with the keys of users in every call",
            fix="set BEDPLATE_STORE__REMOTE_URL to an address that begins with https://",
        )


@check("store.unused-remote", Severity.WARNING, "An address of a remote store is used")
def _unused_remote(store: Any, around: Surroundings) -> Iterator[Trouble]:
    if store.backend == "local" and around.values.store.remote_url is not None:
        yield Trouble(
            "there is an address of a remote store, and the local catalogue is in use",
            fix="set BEDPLATE_STORE__BACKEND=remote, or take BEDPLATE_STORE__REMOTE_URL away",
        )


CHECKS: tuple[Check, ...] = (_remote_in_clear, _unused_remote)
