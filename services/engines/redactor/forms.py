"""The forms in which a secret may stand in a text: as it is, escaped, percent-encoded, in base64."""

import base64
import html
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

__all__ = ["PIECE", "forms_of"]

PIECE = 256
"""Characters of the pieces in which a long secret is looked for, so that its parts are masked too."""

_PATH_SAFE = "!$&'()*+,;=:@/"
"""What URL libraries leave alone in a path (RFC 3986, pchar)."""


def forms_of(secret: str, *, min_length: int) -> set[str]:
    """Return every form of ``secret`` of at least ``min_length`` characters that is looked for in texts.

    Surrounding white space is not part of it: libraries strip it from keys. A secret of more than 256 characters is
    looked for in pieces of that length.
    """
    forms: set[str] = set()
    for whole in {secret, secret.strip()}:
        for piece in _pieces(whole, min_length):
            forms.update(_escaped(piece), _percent_encoded(piece), _base64(piece))
    return {form for form in forms if len(form) >= min_length}


def _pieces(secret: str, min_length: int) -> Iterator[str]:
    yield secret[:PIECE]
    for start in range(PIECE, len(secret), PIECE):
        # A rest too short to be looked for is masked as the end of a piece that reaches back.
        yield secret[min(start, len(secret) - min_length) : start + PIECE]


def _escaped(secret: str) -> Iterator[str]:
    yield secret
    yield repr(secret)[1:-1]
    yield html.escape(secret)
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield once
        # JSON is often a text within JSON.
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]


def _percent_encoded(secret: str) -> Iterator[str]:
    for encoded in (
        quote(secret, safe="", errors="surrogatepass"),
        quote(secret, errors="surrogatepass"),
        quote(secret, safe=_PATH_SAFE, errors="surrogatepass"),
        quote_plus(secret, errors="surrogatepass"),
    ):
        yield encoded
        yield _lower_escapes(encoded)


def _lower_escapes(encoded: str) -> str:
    first, *rest = encoded.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def _base64(secret: str) -> Iterator[str]:
    data = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode()
        # Characters that also carry bits of what stands before or after the secret differ from text to text.
        core = encoded[(0, 2, 3)[before] : 8 * (before + len(data)) // 6]
        yield core
        yield core.replace("+", "-").replace("/", "_")
