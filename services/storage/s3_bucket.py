"""Objects of a bucket, by key: the calls to the S3 API, and nothing of files."""

import asyncio
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
from botocore.exceptions import ClientError

from bedplate.services.engines.s3 import S3Address, S3Engine
from bedplate.services.engines.s3_signing import Content
from bedplate.services.errors import UnavailableError
from bedplate.services.schema import ServiceType
from bedplate.services.storage.s3_errors import typed_errors

__all__ = ["Bucket", "Part"]

MAX_COPY: Final = 5 * 1024**3
"""Largest object that one call copies (Amazon S3, CopyObject)."""
MAX_PARTS: Final = 10_000
_COPY_PART: Final = 512 * 1024**2
_BATCH: Final = 1_000
_GONE: Final = {"NoSuchKey", "NoSuchUpload", "404", "NotFound"}


class Part(msgspec.Struct, frozen=True):
    """A part of a multipart upload that the endpoint has.

    Attributes:
        number: From 1.
        etag: What the endpoint calls it.
    """

    number: int
    etag: str


class Bucket:
    """One bucket.

    Args:
        engine: Has the clients.
        address: Where the API is.
        name: The bucket.
        prefix: What all keys begin with.
        tags: Tags of every object.
    """

    def __init__(
        self, engine: S3Engine, address: S3Address, *, name: str, prefix: str, tags: Mapping[str, str]
    ) -> None:
        self._engine = engine
        self._address = address
        self._name = name
        self._prefix = prefix
        self._new: dict[str, Any] = {"Bucket": name} | ({"Tagging": urlencode(tags)} if tags else {})
        self._made: Any = None
        self._shown = _shown(address.endpoint)

    async def open(self) -> None:
        """Get the client, and see whether objects can be listed, written and deleted."""
        with self._typed():
            self._made = await self._engine.client(self._address)
        probe = uuid.uuid4()
        await self.look()
        await self.put(probe, Content(b"written to see whether it can be, and deleted at once"))
        await self.delete([probe])

    def close(self) -> None:
        """Let go of the client, which the engine closes."""
        self._made = None

    async def look(self) -> None:
        """See whether the bucket answers."""
        with self._typed():
            await self._client.list_objects_v2(Bucket=self._name, Prefix=self._prefix, MaxKeys=1)

    async def put(self, key: uuid.UUID, data: Content) -> None:
        """Make an object."""
        with self._typed():
            await self._client.put_object(**self._new, Key=self._key(key), Body=data)

    async def get(self, key: uuid.UUID, start: int, end: int) -> Any:
        """The body of an object from one byte up to before another; it must be closed."""
        with self._typed():
            answer = await self._client.get_object(
                Bucket=self._name, Key=self._key(key), Range=f"bytes={start}-{end - 1}"
            )
        return answer["Body"]

    async def copy(self, source: uuid.UUID, key: uuid.UUID, size: int) -> None:
        """Make an object of another's content, within the bucket."""
        origin = {"Bucket": self._name, "Key": self._key(source)}
        if size > MAX_COPY:
            await self._copy_parts(origin, key, size)
            return
        with self._typed():
            await self._client.copy_object(
                **self._new,
                Key=self._key(key),
                CopySource=origin,
                **({"TaggingDirective": "REPLACE"} if "Tagging" in self._new else {}),
            )

    async def begin(self, key: uuid.UUID) -> str:
        """Begin a multipart upload; its id."""
        with self._typed():
            answer = await self._client.create_multipart_upload(**self._new, Key=self._key(key))
        return str(answer["UploadId"])

    async def put_part(self, key: uuid.UUID, upload: str, number: int, data: Content) -> Part:
        """Send a part."""
        with self._typed():
            answer = await self._client.upload_part(
                Bucket=self._name, Key=self._key(key), UploadId=upload, PartNumber=number, Body=data
            )
        return Part(number, answer["ETag"])

    async def complete(self, key: uuid.UUID, upload: str, parts: Collection[Part]) -> None:
        """Make the parts an object."""
        ordered = sorted(parts, key=lambda part: part.number)
        made = {"Parts": [{"PartNumber": part.number, "ETag": part.etag} for part in ordered]}
        with self._typed():
            await self._client.complete_multipart_upload(
                Bucket=self._name, Key=self._key(key), UploadId=upload, MultipartUpload=made
            )

    async def abandon(self, key: uuid.UUID, upload: str) -> None:
        """Remove the parts of a multipart upload; nothing happens if there is none."""
        with self._typed():
            try:
                await self._client.abort_multipart_upload(Bucket=self._name, Key=self._key(key), UploadId=upload)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in _GONE:
                    raise

    async def uploads(self, key: uuid.UUID) -> list[str]:
        """The ids of the multipart uploads of an object that are under way, or were abandoned."""
        with self._typed():
            try:
                answer = await self._client.list_multipart_uploads(Bucket=self._name, Prefix=self._key(key))
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") != "NoSuchUpload":  # how rclone says that there is none
                    raise
                return []
        return [found["UploadId"] for found in answer.get("Uploads") or () if found["Key"] == self._key(key)]

    async def delete(self, keys: Collection[uuid.UUID]) -> None:
        """Delete objects, in batches; nothing happens where there is none."""
        names = [{"Key": self._key(key)} for key in keys]
        for start in range(0, len(names), _BATCH):
            wanted = {"Objects": names[start : start + _BATCH], "Quiet": True}
            with self._typed():
                answer = await self._client.delete_objects(Bucket=self._name, Delete=wanted)
            if failed := [error for error in answer.get("Errors") or () if error.get("Code") not in _GONE]:
                with self._typed():
                    raise ClientError({"Error": {"Code": failed[0].get("Code", "")}}, "DeleteObjects")

    async def link(
        self, address: S3Address, key: uuid.UUID, seconds: int, *, disposition: str, content_type: str
    ) -> str:
        """A URL of the API at an address that reads an object for so many seconds."""
        wanted = {
            "Bucket": self._name,
            "Key": self._key(key),
            "ResponseContentDisposition": disposition,
            "ResponseContentType": content_type,
        }
        with self._typed():
            client = await self._engine.client(address)
            return str(await client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=seconds))

    @property
    def _client(self) -> Any:
        if self._made is None:
            raise UnavailableError("the service is not started", service=ServiceType.STORAGE)
        return self._made

    def _key(self, key: uuid.UUID) -> str:
        return self._prefix + key.hex

    @contextmanager
    def _typed(self) -> Iterator[None]:
        with typed_errors(self._name, self._shown):
            yield

    async def _copy_parts(self, origin: dict[str, str], key: uuid.UUID, size: int) -> None:
        length = max(_COPY_PART, -(-size // MAX_PARTS))
        upload = await self.begin(key)
        try:
            parts = [
                await self._copy_part(origin, key, upload, number, start, min(start + length, size))
                for number, start in enumerate(range(0, size, length), 1)
            ]
            await self.complete(key, upload, parts)
        except BaseException:
            await asyncio.shield(self.abandon(key, upload))
            raise

    async def _copy_part(
        self, origin: dict[str, str], key: uuid.UUID, upload: str, number: int, start: int, end: int
    ) -> Part:
        with self._typed():
            answer = await self._client.upload_part_copy(
                Bucket=self._name,
                Key=self._key(key),
                UploadId=upload,
                PartNumber=number,
                CopySource=origin,
                CopySourceRange=f"bytes={start}-{end - 1}",
            )
        return Part(number, answer["CopyPartResult"]["ETag"])


def _shown(endpoint: str) -> str:
    """The endpoint without what may be secret in it."""
    try:
        parts = urlsplit(endpoint)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "") if endpoint else ""
    except ValueError:
        return "the endpoint"
