"""Flows as documents to take away."""

import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from bedplate.services.engines.redactor import without_secrets
from bedplate.services.session import Flow
from bedplate.services.storage.names import free_name, is_name, shortened
from bedplate.wiring.http.schemas.flows import FlowRead

__all__ = ["flow_document", "flow_documents_zip"]

_SUFFIX = ".json"


def flow_document(flow: Flow, is_secret_name: Callable[[str], bool]) -> dict[str, Any]:
    """The document of a flow to give to others: what its nodes hold of secrets is left out.

    Args:
        flow: The flow; it is not changed.
        is_secret_name: Whether a field of this name holds a secret, beside those that say so themselves.
    """
    values = FlowRead.model_validate(flow, from_attributes=True).model_dump(mode="json")
    return {**values, "data": without_secrets(values["data"], is_secret_name)}


def flow_documents_zip(documents: Sequence[dict[str, Any]]) -> bytes:
    """An archive of the documents, each under the name of its flow."""
    packed = io.BytesIO()
    taken: set[str] = set()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for document in documents:
            name = _entry_name(document["name"], taken)
            taken.add(name)
            archive.writestr(name, orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return packed.getvalue()


def _entry_name(name: str, taken: set[str]) -> str:
    """A name that leads nowhere else when the archive is unpacked, and that no other entry has."""
    kept = "".join(character if is_name(f"a{character}a") else "_" for character in name)
    candidate = shortened(kept, _SUFFIX)
    if not is_name(candidate):
        candidate = shortened(f"_{kept}", _SUFFIX)
    return free_name(candidate, taken.__contains__)
