"""The storage service."""

import uuid
from collections.abc import AsyncIterable
from datetime import timedelta
from typing import Literal

from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.schema import ServiceType
from bedplate.services.settings import SettingsService
from bedplate.services.storage.backend import Placing, StorageBackend
from bedplate.services.storage.errors import (
    FileTooLargeError,
    QuotaExceededError,
)
from bedplate.services.storage.links import Links
from bedplate.services.storage.metadata import check_metadata
from bedplate.services.storage.models import (
    FileInfo,
    Metadata,
    Namespace,
    OnTaken,
    SignedAccess,
    SignedUrl,
    StorageUsage,
)
from bedplate.services.storage.saving import Saver
from bedplate.services.storage.stored_files import StoredFiles
from bedplate.services.storage.user_files import UserFiles
from bedplate.services.telemetry import TelemetryService

__all__ = ["StorageService"]


class StorageService(StoredFiles):
    """Files under names, in namespaces that belong to users.

    Every method refuses names and namespaces that are not possible ones (``FileNameError``), and treats what belongs
    to somebody else as missing, since the owner is part of the namespace. What it changes is durable on return. When
    the caller is cancelled, a save under a new name leaves nothing, and everything else happens wholly or not at all.

    Args:
        settings: The settings.
        telemetry: Where bytes and refusals are counted.
        database: Where the lists of users' files are kept.
        keyring: Has the key of links.
        workers: Where archives are made.
        store: The backend.

    Attributes:
        files: The list of files of each user.
        max_file_bytes: The largest file.
    """

    type = ServiceType.STORAGE
    part_names = ("files",)

    def __init__(
        self,
        settings: SettingsService,
        telemetry: TelemetryService,
        database: DatabaseService,
        keyring: Keyring,
        workers: Workers,
        store: StorageBackend,
    ) -> None:
        super().__init__(settings.values.storage, telemetry, workers, store)
        self._saver = Saver(self._values, store)
        self._links = Links(self._values, keyring, store)
        self.backend = store.name
        self.max_file_bytes = self._values.max_file_bytes
        self.files = UserFiles(
            self,
            database,
            provider=store.name,
            max_files=self._values.max_files_per_user,
            max_batch=self._values.max_batch,
        )
        meter = telemetry.meter
        self._saved = meter.counter("bedplate_storage_saved_bytes", "Bytes of files saved.")
        self._too_large = meter.counter("bedplate_storage_too_large", "Files refused because of their size.")
        self._over_quota = meter.counter("bedplate_storage_over_quota", "Files refused because of a user's quota.")

    async def save(
        self,
        namespace: Namespace,
        name: str,
        data: bytes | AsyncIterable[bytes],
        *,
        on_taken: OnTaken = OnTaken.REPLACE,
        if_match: str | None = None,
        metadata: Metadata | None = None,
    ) -> FileInfo:
        """Save a file: its whole content, then its name, both on the disk before this returns.

        Args:
            namespace: Where.
            name: What it shall be called.
            data: The content, whole or bit by bit; of what comes bit by bit, little is ever in memory.
            on_taken: What to do about a file of that name; ``REFUSE`` saves under a new name or not at all.
            if_match: Entity tag of the file that this one shall replace; None: whatever is there.
            metadata: What to keep with it: a few texts, numbers and booleans under lower-case names.

        Returns:
            What is known of it, with its sha256 and the name that it got.

        Raises:
            FileTooLargeError: It has more than ``max_file_bytes``.
            QuotaExceededError: The owner would have more than ``quota_bytes`` of the settings.
            FileTakenError: The name is taken, and ``on_taken`` says to refuse.
            FileChangedError: The file of that name is not the one that ``if_match`` names, or there is none.
            FileMetadataError: The metadata is too much, or of a type that is not kept.
            StorageFullError: No space is left.
            UploadSourceError: ``data`` is something else.
        """
        self._require(namespace, name)
        placing = Placing(
            on_taken=OnTaken(on_taken) if if_match is None else OnTaken.REPLACE,
            if_match=if_match,
            metadata=check_metadata(metadata or {}),
        )
        try:
            info = await self._saver.save(namespace, name, data, placing)
        except FileTooLargeError:
            self._too_large.add()
            raise
        except QuotaExceededError:
            self._over_quota.add()
            raise
        self._saved.add(info.size)
        return info

    async def signed_url(
        self,
        namespace: Namespace,
        name: str,
        *,
        method: Literal["GET", "PUT"] = "GET",
        expires_in: float | timedelta | None = None,
        filename: str | None = None,
        inline: bool = False,
    ) -> SignedUrl:
        """A link that opens one file to whoever has it, for a time; whether the caller may is theirs to know.

        Args:
            namespace: Where.
            name: Which; it need not be there yet.
            method: ``"GET"`` to read the file, ``"PUT"`` to save it.
            expires_in: For so long, in seconds or as a ``timedelta``; None: ``link_seconds`` of the settings.
            filename: What a download is saved as; None: ``name``.
            inline: Whether an image may be shown rather than saved.

        Raises:
            InvalidInputError: It would be good for longer than ``max_link_seconds``, or for no time.
        """
        self._require(namespace, name, *([] if filename is None else [filename]))
        return await self._links.make(namespace, name, method, expires_in, filename, inline)

    def redeem(self, token: str, method: str) -> SignedAccess:
        """What the token of a link of this server gives access to.

        Raises:
            SignedUrlError: It was made or changed by somebody else, is for something else, or its time is over.
        """
        self._require_started()
        return self._links.redeem(token, method)

    async def copy(
        self,
        source: Namespace,
        name: str,
        target: Namespace,
        new_name: str | None = None,
        *,
        on_taken: OnTaken = OnTaken.REFUSE,
    ) -> FileInfo:
        """Copy a file and what is kept with it; whether the caller may read here and write there is theirs to know.

        Raises:
            StoredFileNotFoundError: There is none.
            FileTakenError: The new name is taken, and ``on_taken`` says to refuse.
            QuotaExceededError: The owner of the target would have more than allowed.
            StorageFullError: No space is left.
        """
        new_name = name if new_name is None else new_name
        self._require(source, name)
        self._require(target, new_name)
        placing = Placing(on_taken=OnTaken(on_taken))
        return await self._store.copy(source, name, target, new_name, placing, self.max_file_bytes)

    async def move(
        self,
        source: Namespace,
        name: str,
        target: Namespace,
        new_name: str | None = None,
        *,
        on_taken: OnTaken = OnTaken.REFUSE,
    ) -> FileInfo:
        """Move or rename a file; see :meth:`copy`.

        Raises:
            StoredFileNotFoundError: There is none.
            FileTakenError: The new name is taken, and ``on_taken`` says to refuse.
            QuotaExceededError: The owner of the target would have more than allowed.
        """
        new_name = name if new_name is None else new_name
        self._require(source, name)
        self._require(target, new_name)
        return await self._store.move(source, name, target, new_name, Placing(on_taken=OnTaken(on_taken)))

    async def set_metadata(
        self, namespace: Namespace, name: str, metadata: Metadata, *, if_match: str | None = None
    ) -> FileInfo:
        """Keep something else with a file, in place of what was kept; its content and entity tag stay.

        Raises:
            StoredFileNotFoundError: There is none.
            FileChangedError: It is not the version that ``if_match`` names.
            FileMetadataError: The metadata is too much, or of a type that is not kept.
        """
        self._require(namespace, name)
        return await self._store.set_metadata(namespace, name, check_metadata(metadata), if_match)

    async def delete(self, namespace: Namespace, name: str, *, if_match: str | None = None) -> None:
        """Delete a file.

        Raises:
            StoredFileNotFoundError: There is none.
            FileChangedError: It is not the version that ``if_match`` names.
        """
        self._require(namespace, name)
        await self._store.delete(namespace, name, if_match)

    async def usage(self, user_id: uuid.UUID) -> StorageUsage:
        """What the files of a user take up, in all namespaces, and how much they may."""
        self._require(Namespace.user(user_id))
        return await self._store.usage(user_id)

    async def delete_namespace(self, namespace: Namespace) -> int:
        """Delete every file of a namespace, for every reader at once; how many there were."""
        self._require(namespace)
        return await self._store.delete_namespace(namespace)

    async def delete_owner(self, user_id: uuid.UUID) -> None:
        """Delete every namespace of a user, as when the user is deleted; the user's list is not touched."""
        self._require(Namespace.user(user_id))
        await self._store.delete_owner(user_id)

    async def _start(self) -> None:
        self._links.start()
        await self._store.start()

    async def _stop(self) -> None:
        await self._store.stop()

    async def _check(self) -> str | None:
        return await self._store.check()
