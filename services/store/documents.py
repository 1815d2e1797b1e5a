"""How a document becomes fit to be published: a flow, without secrets, as canonical JSON with a digest."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec
import orjson

from bedplate.services.engines.redactor import Redactor, without_secrets
from bedplate.services.errors import TooLargeError
from bedplate.services.session.runner import FlowDocument, FlowLimits
from bedplate.services.session.runner.errors import FlowError
from bedplate.services.store.backend import Document
from bedplate.services.store.errors import (
    DigestMismatchError,
    DocumentTooLargeError,
    StoreDocumentError,
    StoreSecretError,
)
from bedplate.services.text import storable

__all__ = ["Documents", "canonical", "check_digest", "digest_of", "masked", "secrets_in", "summary_of"]

_MOST_PATHS = 10
_LONGEST_PATH = 300


class Documents(msgspec.Struct, frozen=True, kw_only=True):
    """Checks documents; blocks while it does.

    Attributes:
        redactor: Knows secrets.
        limits: How many nodes and edges a flow may have.
        max_bytes: Largest document, as canonical JSON.
        on_leak: What to do about a secret where none belongs.
    """

    redactor: Redactor
    limits: FlowLimits
    max_bytes: int
    on_leak: Literal["refuse", "mask"]

    def checked(self, data: Mapping[str, Any]) -> Document:
        """The document without its secrets, as it is to be stored.

        Raises:
            StoreDocumentError: It is no flow.
            DocumentTooLargeError: It is too large; more nodes or edges than a flow may have are a TooLargeError too.
            StoreSecretError: A secret stands outside the fields for secrets.
        """
        try:
            kept = without_secrets(storable(dict(data)), self.redactor.is_secret_name)
            text = canonical(kept)
            FlowDocument.parse(kept, self.limits)
        except RecursionError:
            raise StoreDocumentError("the document is nested too deeply", fix="nest it less") from None
        except TooLargeError:
            raise
        except FlowError as error:
            raise StoreDocumentError(self.redactor.text(error.what), fix=error.fix) from None
        if len(text) > self.max_bytes:
            raise DocumentTooLargeError(len(text), self.max_bytes)
        cleaned = self.cleaned("data", kept)
        if cleaned is not kept:
            kept, text = cleaned, canonical(cleaned)
        return Document(data=kept, text=text, digest=digest_of(text), summary=summary_of(kept))

    def cleaned(self, name: str, value: Any) -> Any:
        """The value itself if there is no secret in it, else what is to be done about it.

        Raises:
            StoreSecretError: There is, and it is to be refused.
        """
        paths = [path for _, path in zip(range(_MOST_PATHS), secrets_in(name, value, self.redactor), strict=False)]
        if not paths:
            return value
        if self.on_leak == "refuse":
            raise StoreSecretError([self.redactor.text(path, limit=_LONGEST_PATH) for path in paths])
        return masked(value, self.redactor)


def secrets_in(path: str, value: Any, redactor: Redactor) -> Iterator[str]:
    """The places of all texts, and names of fields, in which a secret stands."""
    if isinstance(value, str):
        if redactor.recognises(value):
            yield path
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from secrets_in(f"{path}[{index}]", item, redactor)
    elif isinstance(value, dict):
        for name, item in value.items():
            if redactor.recognises(name):
                yield f"the name of a field of {path}"
            yield from secrets_in(f"{path}.{name}", item, redactor)


def masked(value: Any, redactor: Redactor) -> Any:
    """A copy of the value in which each text that holds a secret is masked."""
    if isinstance(value, str):
        return redactor.text(value) if redactor.recognises(value) else value
    if isinstance(value, list | tuple):
        return type(value)(masked(item, redactor) for item in value)
    if isinstance(value, dict):
        return {masked(name, redactor): masked(item, redactor) for name, item in value.items()}
    return value


def digest_of(text: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(text).hexdigest()


def check_digest(data: Mapping[str, Any], digest: str) -> None:
    """Raise unless a document is what its digest says.

    Raises:
        DigestMismatchError: It is not.
    """
    if digest_of(canonical(data)) != digest:
        raise DigestMismatchError


def summary_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """How many components of each kind a document has: the kind is what stands before the hyphen of a node's id."""
    nodes = data.get("nodes")
    ids = [str(node.get("id", "")) for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
    kinds = Counter(node_id.partition("-")[0] for node_id in ids)
    return {**{kind: {"count": count} for kind, count in kinds.items()}, "total": len(ids)}


def canonical(value: Any) -> bytes:
    """JSON with keys sorted, without white space, in UTF-8: the same bytes for the same document.

    Raises:
        StoreDocumentError: The value is nothing that JSON can hold.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise StoreDocumentError(f"the document is not JSON: {error}", fix="send values that JSON has") from None
