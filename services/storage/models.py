"""Values that cross the boundary of the storage service."""

import enum
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Literal

import msgspec

__all__ = ["FileInfo", "Metadata", "Namespace", "OnTaken", "SignedAccess", "SignedUrl", "StorageUsage", "UserFile"]

Metadata = Mapping[str, str | int | float | bool]
"""What is kept with a file: few and small values under lower-case names."""


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of files that belongs to one user.

    The owner is part of where the files are: whoever names another user's flow under their own id finds nothing.

    Attributes:
        owner: The user whose files these are.
        kind: What the files hang on: a lower-case word such as ``"user"`` or ``"flow"``.
        id: Which one of that kind.
    """

    owner: uuid.UUID
    kind: str
    id: uuid.UUID

    @classmethod
    def user(cls, user_id: uuid.UUID) -> "Namespace":
        """The files of a user as such."""
        return cls(owner=user_id, kind="user", id=user_id)

    @classmethod
    def flow(cls, user_id: uuid.UUID, flow_id: uuid.UUID) -> "Namespace":
        """The files of a user's flow."""
        return cls(owner=user_id, kind="flow", id=flow_id)


class OnTaken(enum.StrEnum):
    """What to do about a file that has the name already; each way is atomic.

    Attributes:
        REPLACE: Take its place; readers that have it open go on with the old one.
        REFUSE: Fail with ``FileTakenError``.
        NUMBER: Use the first free one of ``"a (1).txt"``, ``"a (2).txt"`` and so on.
    """

    REPLACE = "replace"
    REFUSE = "refuse"
    NUMBER = "number"


class FileInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file.

    Attributes:
        name: Its name in its namespace.
        size: In bytes.
        content_type: By the extension of the name; ``"application/octet-stream"`` where that says nothing.
        etag: A strong validator (RFC 9110, 8.8.3) with its quotes; changes with every save.
        modified_at: When it was saved.
        sha256: Digest of the content in hexadecimal; None in lists, and where it would have to be computed first.
        metadata: What was kept with it; None in lists.
    """

    name: str
    size: int
    content_type: str
    etag: str
    modified_at: datetime
    sha256: str | None = None
    metadata: Metadata | None = None


class SignedAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is good for.

    Attributes:
        method: ``"GET"`` to read the file, ``"PUT"`` to save it.
        namespace: Where the file is.
        name: What it is called there.
        expires_at: When the link ends.
        filename: What a download is saved as; None: ``name``.
        inline: Whether an image may be shown rather than saved.
    """

    method: Literal["GET", "PUT"]
    namespace: Namespace
    name: str
    expires_at: datetime
    filename: str | None = None
    inline: bool = False


class SignedUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A link to a file that needs no other credentials.

    Attributes:
        url: The link; without a host where it leads to this server.
        method: What it is good for.
        expires_at: When it ends.
    """

    url: str
    method: Literal["GET", "PUT"]
    expires_at: datetime


class StorageUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What the files of a user take up.

    Attributes:
        bytes: Bytes of all files in all namespaces of the user.
        files: How many there are.
        quota: Most bytes that the user may have; None: any number.
    """

    bytes: int
    files: int
    quota: int | None = None


class UserFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file in the list of a user.

    Attributes:
        id: The file in the list.
        user_id: Its owner.
        name: What the user calls it, without extension; unique for the user.
        path: The id of the user and the name in their namespace, with a slash between.
        size: In bytes.
        provider: The backend that keeps it.
    """

    id: uuid.UUID
    user_id: uuid.UUID
    name: str
    path: str
    size: int
    provider: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def stored_name(self) -> str:
        """Its name in the namespace of the user."""
        return PurePosixPath(self.path).name

    @property
    def filename(self) -> str:
        """What a download is called: the name, with the extension that it was uploaded with."""
        return self.name + PurePosixPath(self.path).suffix
