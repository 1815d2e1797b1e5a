"""Files in a bucket of S3 or of a compatible server."""

import asyncio
import builtins
import contextlib
import uuid
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import quote

import msgspec

from bedplate.services.database import DatabaseService
from bedplate.services.engines.s3 import S3Address, S3Engine
from bedplate.services.engines.workers import WorkerPool, Workers
from bedplate.services.errors import BedplateError
from bedplate.services.logs import get_logger
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.storage import StorageSettings
from bedplate.services.storage.backend import Placing
from bedplate.services.storage.errors import FileTooLargeError, ObjectStoreSettingError, StoredFileNotFoundError
from bedplate.services.storage.index import FileIndex
from bedplate.services.storage.models import FileInfo, Metadata, Namespace, OnTaken, SignedAccess, StorageUsage
from bedplate.services.storage.s3_bucket import MAX_PARTS, Bucket
from bedplate.services.storage.s3_content import S3Content
from bedplate.services.storage.s3_keys import Keys
from bedplate.services.storage.s3_sweep import sweep
from bedplate.services.storage.s3_upload import S3Upload, placed
from bedplate.services.uninterrupted import uninterrupted

__all__ = ["S3Files"]

_SWEEP_SECONDS: Final = (1.0, 60.0)
_IMAGES: Final = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"}

_log = get_logger("bedplate.storage")


class S3Files:
    """The backend ``s3``; see :class:`~bedplate.services.storage.backend.StorageBackend`.

    A file is an object under a random key, which never changes, and a row in the database, which says what it is called
    and is what changes: conditions, quotas, moves and deletions are transactions there, and hold on any server.

    Args:
        settings: The settings of the storage.
        bucket: The bucket.
        index: The rows.
        workers: Has the threads that compute digests.
        public: Where clients reach the API.
    """

    name = "s3"

    def __init__(
        self, settings: StorageSettings, bucket: Bucket, index: FileIndex, workers: Workers, public: S3Address
    ) -> None:
        self._settings = settings
        self._bucket = bucket
        self._index = index
        self._workers = workers
        self._public = public
        self._keys = Keys(index, settings.s3_upload_seconds)
        self._sweeping: asyncio.Task[None] | None = None

    @classmethod
    def from_settings(
        cls, settings: SettingsService, *, workers: Workers, database: DatabaseService, s3: S3Engine
    ) -> Self:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`.

        Raises:
            ObjectStoreSettingError: No bucket is named, or one of two keys is missing.
        """
        values = settings.values.storage
        address = _address(values)
        bucket = Bucket(s3, address, name=values.s3_bucket, prefix=values.s3_prefix, tags=values.s3_tags)
        index = FileIndex(database, quota=values.quota_bytes, grace=values.s3_grace_seconds)
        public = msgspec.structs.replace(address, endpoint=values.s3_public_endpoint or address.endpoint)
        return cls(values, bucket, index, workers, public)

    async def start(self) -> None:
        """See whether the bucket can be used; what is due is removed in the background."""
        await self._bucket.open()
        self._sweeping = asyncio.get_running_loop().create_task(self._sweep())

    async def stop(self) -> None:
        """Give back what was not used."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait([self._sweeping])
            self._sweeping = None
        with contextlib.suppress(BedplateError):
            await self._keys.close()
        self._bucket.close()

    async def check(self) -> None:
        """Ask the bucket."""
        await self._bucket.look()

    async def save(self, namespace: Namespace, name: str, data: bytes, placing: Placing) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        if self._settings.quota_bytes and data:
            await self._index.require_room(
                namespace.owner,
                len(data),
                await self._size(namespace, name) if placing.on_taken is OnTaken.REPLACE else 0,
            )
        upload = self.upload(namespace)
        try:
            await upload.write([data])
            return await upload.commit(name, placing)
        except BaseException:
            await upload.abort()
            raise

    def upload(self, namespace: Namespace) -> S3Upload:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        values = self._settings
        return S3Upload(
            self._bucket,
            self._index,
            self._keys,
            namespace,
            threads=self._pool,
            part_bytes=max(values.s3_part_bytes, -(-values.max_file_bytes // MAX_PARTS)),
            parts=values.s3_parts,
        )

    async def open(self, namespace: Namespace, name: str) -> S3Content:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return S3Content(self._bucket, *await self._index.find(namespace, name))

    async def list(self, namespace: Namespace, after: str, limit: int, prefix: str) -> list[FileInfo]:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return await self._index.list(namespace, after, limit, prefix)

    async def namespaces(self, after: str, limit: int) -> builtins.list[Namespace]:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return builtins.list(await self._index.namespaces(after, limit))

    async def stat(self, namespace: Namespace, name: str, *, digest: bool) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return (await self._index.find(namespace, name))[1]

    async def copy(
        self, source: Namespace, name: str, target: Namespace, new_name: str, placing: Placing, max_bytes: int
    ) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`; the bytes do not pass through here."""
        origin, info = await self._index.find(source, name)
        if info.size > max_bytes:
            raise FileTooLargeError(max_bytes)
        if placing.metadata is None:
            placing = msgspec.structs.replace(placing, metadata=info.metadata)
        work = asyncio.ensure_future(self._copy(origin, info, target, new_name, placing))
        return await placed(work, self._index, target, placing)

    async def move(self, source: Namespace, name: str, target: Namespace, new_name: str, placing: Placing) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`; the object stays where it is."""
        return await self._index.move(source, name, target, new_name, placing)

    async def set_metadata(self, namespace: Namespace, name: str, metadata: Metadata, if_match: str | None) -> FileInfo:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return await self._index.annotate(namespace, name, metadata, if_match)

    async def delete(self, namespace: Namespace, name: str, if_match: str | None) -> None:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        await self._index.remove(namespace, name, if_match)

    async def delete_namespace(self, namespace: Namespace) -> int:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return await self._index.remove_all(namespace.owner, namespace)

    async def delete_owner(self, owner: uuid.UUID) -> None:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        await self._index.remove_all(owner)

    async def usage(self, owner: uuid.UUID) -> StorageUsage:
        """See :class:`~bedplate.services.storage.backend.StorageBackend`."""
        return await self._index.usage(owner)

    async def presign(self, access: SignedAccess) -> str | None:
        """A presigned URL that reads the present version; None for what is not there, and for links that save.

        Whoever saved into the bucket directly would pass by the limits, the quota and the index.
        """
        if access.method != "GET" or not self._settings.s3_presign:
            return None
        try:
            key, info = await self._index.find(access.namespace, access.name)
        except StoredFileNotFoundError:
            return None
        seconds = max(1, round((access.expires_at - datetime.now(UTC)).total_seconds()))
        shown = access.inline and info.content_type in _IMAGES
        filename = quote(access.filename or access.name, safe="")
        return await self._bucket.link(
            self._public,
            key,
            seconds,
            disposition="inline" if shown else f"attachment; filename*=UTF-8''{filename}",
            content_type=info.content_type if shown else "application/octet-stream",
        )

    async def _copy(
        self, origin: uuid.UUID, info: FileInfo, target: Namespace, new_name: str, placing: Placing
    ) -> FileInfo:
        replaced = await self._size(target, new_name) if placing.on_taken is OnTaken.REPLACE else 0
        if info.size:
            await self._index.require_room(target.owner, info.size, replaced)
        key = await self._keys.take()
        try:
            await self._bucket.copy(origin, key, info.size)
            return await self._index.place(key, target, new_name, placing, info.size, info.sha256 or "")
        except BaseException:
            with contextlib.suppress(BedplateError):
                await uninterrupted(self._remove(key))
            raise

    async def _remove(self, key: uuid.UUID) -> None:
        await self._bucket.delete([key])
        await self._keys.release(key)

    async def _size(self, namespace: Namespace, name: str) -> int:
        try:
            return (await self._index.find(namespace, name))[1].size
        except StoredFileNotFoundError:
            return 0

    def _pool(self) -> WorkerPool:
        return self._workers.pool("files", self._settings.threads)

    async def _sweep(self) -> None:
        least, most = _SWEEP_SECONDS
        while True:
            try:
                if removed := await sweep(self._bucket, self._index):
                    _log.info("removed objects that belong to no file any more", removed=removed)
            except Exception as error:
                _log.warning("what is left over could not be removed; it is tried again", error=error)
            await asyncio.sleep(min(most, max(least, self._settings.s3_grace_seconds)))


def _address(values: StorageSettings) -> S3Address:
    if not values.s3_bucket:
        raise ObjectStoreSettingError("no bucket is named", fix="set BEDPLATE_STORAGE__S3_BUCKET to the name of one")
    if bool(values.s3_access_key) != (values.s3_secret_key is not None):
        raise ObjectStoreSettingError(
            "one of the two keys is missing",
            fix="set BEDPLATE_STORAGE__S3_ACCESS_KEY and BEDPLATE_STORAGE__S3_SECRET_KEY, or none for the AWS chain",
        )
    return S3Address(
        endpoint=values.s3_endpoint,
        region=values.s3_region,
        access_key=values.s3_access_key,
        secret_key=values.s3_secret_key.get_secret_value() if values.s3_secret_key else "",
        session_token=values.s3_session_token.get_secret_value() if values.s3_session_token else "",
        addressing=values.s3_addressing,
        ca_file=values.s3_ca_file,
        connections=values.s3_concurrency,
        connect_timeout=values.s3_connect_timeout,
        read_timeout=values.s3_read_timeout,
        retries=values.s3_retries,
    )
