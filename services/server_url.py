"""URLs of servers as people may see them."""

from urllib.parse import urlsplit

__all__ = ["masked_url"]


def masked_url(url: str, default_port: int) -> str:
    """A URL without user, password and query, which may be secret, and with its port.

    Args:
        url: The URL of a server, or ``unix://`` and the path of a socket.
        default_port: The port where the URL names none.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or default_port}{parts.path}"
