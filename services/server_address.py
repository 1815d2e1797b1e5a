"""Servers that a setting names by a URL: what may stand in it, what people may see of it, and what TLS says of them."""

import ssl
from collections.abc import Collection, Iterator, Mapping
from typing import ClassVar
from urllib.parse import urlsplit

import msgspec

__all__ = ["ServerAddress", "causes", "tls_problem", "url_problem"]

_SHOWN_SCHEME = 20


class ServerAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server is.

    Attributes:
        url: Its URL, with the password; or ``unix://`` and the path of a socket.
        setting: The setting that it comes from.
        ports: The port of each scheme where the URL names none.
    """

    ports: ClassVar[Mapping[str, int]] = {}

    url: str
    setting: str

    @property
    def scheme(self) -> str:
        """What the URL begins with, such as ``rediss``."""
        return urlsplit(self.url).scheme

    @property
    def masked(self) -> str:
        """The URL without user, password and query, which may be secret, and with its port."""
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return f"unix://{parts.path}"
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}:{parts.port or self.ports.get(parts.scheme, 0)}{parts.path}"

    @property
    def origin(self) -> str:
        """The setting and what it is, for the ``why`` of an error."""
        return f"{self.setting} is {self.masked}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.masked!r}, setting={self.setting!r})"


def url_problem(url: str, server: str, schemes: Collection[str]) -> str | None:
    """What is wrong with the URL of a server; None: nothing.

    Args:
        url: The URL; no more of it is quoted than its scheme.
        server: What people call the server, such as ``"the broker"``.
        schemes: Those that it may begin with.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"the URL of {server} cannot be read"
    if parts.scheme not in schemes:
        # Without the slashes, what comes before the first colon may be half of a password.
        begins = f", but with {parts.scheme[:_SHOWN_SCHEME]}://" if parts.scheme and "://" in url else ""
        return f"the URL of {server} begins with none of {', '.join(f'{one}://' for one in schemes)}{begins}"
    if parts.scheme == "unix":
        return None if parts.path else f"the URL of {server} names no socket"
    if not parts.hostname or port == 0:
        return f"the URL of {server} names no host"
    if parts.scheme.startswith("redis") and (base := parts.path.strip("/")) and not base.isdecimal():
        return f"the URL of {server} names a database that is not a number"
    return None


def tls_problem(error: BaseException, server: str) -> str | None:
    """What is wrong with TLS, if that is what an exception comes of; ``server`` as in :func:`url_problem`."""
    found = [cause for cause in causes(error) if isinstance(cause, ssl.SSLError)]
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in found):
        return f"the certificate of {server} is not trusted"
    return f"{server} does not speak TLS" if found else None


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, what it was raised from or while handling, and so on."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        yield cause
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
