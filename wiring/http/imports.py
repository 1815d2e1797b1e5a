"""Flows that come as a document or as an archive of documents."""

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import msgspec
import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from bedplate.services.errors import InvalidInputError, TooLargeError
from bedplate.services.session import NewFlow
from bedplate.services.storage.names import check_name
from bedplate.wiring.http.routers.flows import new_flow
from bedplate.wiring.http.schemas.flows import FlowImport

__all__ = ["Import", "ImportLimits", "read_import"]

_BLOCK = 64 * 1024
_ENTRY = b"PK\x01\x02"
"""How each entry begins in the directory of an archive."""


class ImportLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one import may bring.

    Attributes:
        flows: Most flows.
        bytes: Most bytes of documents, unpacked.
    """

    flows: int
    bytes: int


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload brings.

    Attributes:
        project_name: What the project is called that the flows were in; else the name of the uploaded file.
        project_description: What the document says of the project.
        documents: The flows.
    """

    project_name: str
    project_description: str | None
    documents: Sequence[FlowImport]

    def flows(self, project_id: UUID | None) -> list[NewFlow]:
        """The flows to make, in this project; None: the caller's default one."""
        return [_new(document, project_id) for document in self.documents]


def read_import(filename: str, content: bytes, limits: ImportLimits) -> Import:
    """Read a document or an archive of documents. Blocks; nothing is written anywhere.

    A document is a flow, a list of flows, or an object with ``flows`` and perhaps ``folder_name`` and
    ``folder_description``.

    Args:
        filename: Name of the upload, for a project that has none.
        content: The upload.
        limits: How much is accepted.

    Raises:
        RequestValidationError: What should be a flow is none.
        InvalidInputError: The upload is neither JSON nor an archive of it, or an entry has a name that is no name.
        TooLargeError: It brings more than the limits allow.
    """
    project = {"name": PurePosixPath(filename).stem, "description": None}
    found: list[Any] = []
    for document in _documents(content, limits):
        if isinstance(document, dict) and "flows" in document:
            project["name"] = document.get("folder_name") or project["name"]
            project["description"] = document.get("folder_description") or project["description"]
        found += _flows_in(document)
        if len(found) > limits.flows:
            raise _too_large(f"the upload has more than {limits.flows} flows", "MAX_IMPORT_FLOWS")
    if not isinstance(project["name"], str) or not isinstance(project["description"], str | None):
        raise _broken("the name and the description of the project are no texts")
    return Import(
        project_name=project["name"],
        project_description=project["description"],
        documents=[_validated(flow, index) for index, flow in enumerate(found)],
    )


def _new(document: FlowImport, project_id: UUID | None) -> NewFlow:
    return msgspec.structs.replace(new_flow(document), folder_id=project_id)


def _flows_in(document: Any) -> list[Any]:
    if isinstance(document, dict) and "flows" in document:
        document = document["flows"]
    if isinstance(document, list):
        return document
    return [document]


def _validated(flow: Any, index: int) -> FlowImport:
    try:
        return FlowImport.model_validate(flow)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False, include_context=False)
        raise RequestValidationError(
            [{**detail, "loc": ("body", "file", "flows", index, *detail["loc"])} for detail in details]
        ) from None


def _documents(content: bytes, limits: ImportLimits) -> Iterator[Any]:
    if not content.startswith(b"PK"):
        if len(content) > limits.bytes:
            raise _too_large(f"the document has more than {limits.bytes} bytes", "MAX_IMPORT_BYTES")
        yield _parsed(content)
        return
    for packed in _entries(content, limits):
        yield _parsed(packed)


def _entries(content: bytes, limits: ImportLimits) -> Iterator[bytes]:
    """The unpacked entries of an archive, counted as they are unpacked: what it says of itself proves nothing."""
    left = limits.bytes
    if content.count(_ENTRY) > 2 * limits.flows:  # each in a folder of its own; reading 100,000 takes 100 MiB
        raise _too_large(f"the archive has more than {2 * limits.flows} entries", "MAX_IMPORT_FLOWS")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > limits.flows:
                raise _too_large(f"the archive has more than {limits.flows} documents", "MAX_IMPORT_FLOWS")
            for entry in entries:
                for segment in entry.filename.split("/"):
                    check_name(segment)
            for entry in entries:
                unpacked = bytearray()
                with archive.open(entry) as packed:
                    while block := packed.read(_BLOCK):
                        left -= len(block)
                        if left < 0:
                            raise _too_large(
                                f"the archive unpacks to more than {limits.bytes} bytes", "MAX_IMPORT_BYTES"
                            )
                        unpacked += block
                yield bytes(unpacked)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        # RuntimeError: an entry is encrypted; NotImplementedError: packed in a way that is not known here.
        raise _broken("the archive is damaged, encrypted, or packed in an unknown way") from None


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise _broken("the upload is not JSON, nor an archive of JSON") from None


def _broken(what: str) -> InvalidInputError:
    return InvalidInputError(what, service="session", fix="upload what a download gives")


def _too_large(what: str, setting: str) -> TooLargeError:
    return TooLargeError(what, service="session", fix=f"upload less at a time, or raise BEDPLATE_SESSION__{setting}")
