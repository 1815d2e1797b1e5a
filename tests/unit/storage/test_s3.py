"""STO-4: what the backend ``s3`` does beyond the suite: parts, faults, waste, links."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.servers.relay import Relay
from tests.servers.s3 import S3Server, new_bucket, objects, uploads

from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.s3 import S3Engine
from bedplate.services.engines.s3_signing import Content
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.storage import Namespace, OnTaken, StorageService
from bedplate.services.storage.errors import ObjectStoreError, UploadExpiredError
from bedplate.services.storage.factory import build_storage
from bedplate.services.storage.s3 import S3Files
from bedplate.services.storage.s3_sweep import sweep
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.cancellation import cancel_at_every_await

pytestmark = pytest.mark.xdist_group("moto")

_MIB = 1024 * 1024
_PART = 5 * _MIB

Make = Callable[..., Awaitable[StorageService]]


@pytest.fixture
async def bucket(s3: S3Engine, moto_server: S3Server) -> str:
    return await new_bucket(s3, moto_server)


@pytest.fixture
async def make(
    tmp_path: Path,
    database: DatabaseService,
    keyring: Keyring,
    workers: Workers,
    s3: S3Engine,
    moto_server: S3Server,
    bucket: str,
) -> AsyncIterator[Make]:
    made: list[StorageService] = []

    async def storage(server: S3Server = moto_server, **values: Any) -> StorageService:
        values = server.settings(bucket) | {"s3_part_bytes": _PART, "chunk_bytes": _MIB} | values
        settings = SettingsService(profile="test", data_dir=tmp_path, storage=values)
        telemetry = TelemetryService(settings, Redactor(settings))
        service = build_storage(settings, telemetry, database, keyring, workers, lambda: s3)
        made.append(service)
        await service.start()
        return service

    yield storage
    for service in made:
        await service.stop()


@pytest.fixture
def namespace() -> Namespace:
    return Namespace.user(uuid.uuid4())


async def _pieces(size: int, piece: int = 700_001) -> AsyncIterator[bytes]:
    data = bytes(index % 251 for index in range(piece))
    for start in range(0, size, piece):
        yield data[: min(piece, size - start)]


async def _sum(storage: StorageService, namespace: Namespace, name: str, **part: int) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    async with await storage.open(namespace, name, **part) as file:
        async for chunk in file:
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


@pytest.mark.parametrize("size", [_PART - 1, _PART, _PART + 1, 3 * _PART, 3 * _PART + 1])
async def test_files_in_parts(
    size: int, make: Make, namespace: Namespace, s3: S3Engine, moto_server: S3Server, bucket: str
) -> None:
    """STO-4: around the limits of parts; what comes back is what was sent, and no upload is left open."""
    storage = await make()
    saved = await storage.save(namespace, "a", _pieces(size))
    assert saved.size == size
    assert await _sum(storage, namespace, "a") == (size, saved.sha256)
    copied = await storage.copy(namespace, "a", namespace, "b")
    assert await _sum(storage, namespace, "b") == (size, copied.sha256)
    assert copied.etag != saved.etag
    assert await uploads(s3, moto_server, bucket) == []


async def test_a_large_copy_is_made_of_parts(
    make: Make, namespace: Namespace, s3: S3Engine, moto_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STO-4: what is over the limit of one call is copied by several, without passing through here."""
    storage = await make()
    saved = await storage.save(namespace, "a", _pieces(12 * _MIB))
    monkeypatch.setattr("bedplate.services.storage.s3_bucket.MAX_COPY", 6 * _MIB)
    monkeypatch.setattr("bedplate.services.storage.s3_bucket._COPY_PART", _PART)
    await storage.copy(namespace, "a", namespace, "b")
    assert await _sum(storage, namespace, "b") == (12 * _MIB, saved.sha256)
    assert await uploads(s3, moto_server, bucket) == []


async def test_an_upload_in_parts_cancelled_anywhere_leaves_nothing(
    make: Make, namespace: Namespace, s3: S3Engine, moto_server: S3Server, bucket: str
) -> None:
    """STO-4, ALL-1: no part, no open upload, no object; or the whole file."""
    storage = await make(s3_grace_seconds=0)

    async def save() -> None:
        await storage.save(namespace, "a", _pieces(2 * _PART + 1, _PART))

    async def check(cancelled: bool) -> None:
        assert await uploads(s3, moto_server, bucket) == []
        there = [file.name for file in await storage.list(namespace)]
        if cancelled and not there:
            assert await _unknown(storage, s3, moto_server, bucket) == []
        await storage.delete_namespace(namespace)

    assert await cancel_at_every_await(save, check) > 5


async def _unknown(storage: StorageService, s3: S3Engine, server: S3Server, bucket: str) -> list[str]:
    """What is left once all that is due is removed; nothing is expected to have a file."""
    files = storage._store
    assert isinstance(files, S3Files)
    await sweep(files._bucket, files._index)
    return await objects(s3, server, bucket)


async def test_an_upload_that_fails_leaves_no_part(
    make: Make, namespace: Namespace, s3: S3Engine, moto_server: S3Server, bucket: str
) -> None:
    """STO-4: neither where the source breaks, nor where a part is refused."""
    storage = await make()

    async def broken() -> AsyncIterator[bytes]:
        async for piece in _pieces(3 * _PART):
            yield piece
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        await storage.save(namespace, "a", broken())
    assert await uploads(s3, moto_server, bucket) == await objects(s3, moto_server, bucket) == []


async def test_what_went_is_removed_once_its_readers_had_their_time(
    make: Make, namespace: Namespace, s3: S3Engine, moto_server: S3Server, bucket: str
) -> None:
    """STO-4: replaced, deleted, and of whole namespaces; what is there stays."""
    storage = await make(s3_grace_seconds=0)
    for data in (b"1", b"2"):
        await storage.save(namespace, "a", data)
    await storage.save(namespace, "b", b"3")
    await storage.delete(namespace, "b")
    other = Namespace.flow(namespace.owner, uuid.uuid4())
    await storage.save(other, "c", b"4")
    await storage.delete_namespace(other)
    assert len(await _unknown(storage, s3, moto_server, bucket)) == 1
    assert await storage.read(namespace, "a") == b"2"


async def test_abandoned_uploads_are_swept(
    make: Make, namespace: Namespace, s3: S3Engine, moto_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STO-4: whole objects and parts of a process that was killed; an upload that was given up cannot be committed."""
    storage = await make()
    files = storage._store
    assert isinstance(files, S3Files)
    whole, parts = uuid.uuid4(), uuid.uuid4()
    await files._index.reserve([whole, parts], 0)
    await files._bucket.put(whole, Content(b"x"))
    await files._bucket.put_part(parts, await files._bucket.begin(parts), 1, Content(b"x"))
    assert await uploads(s3, moto_server, bucket) == [parts.hex]
    late = files.upload(namespace)
    await late.write([b"late"])
    late._key = whole
    with pytest.raises(UploadExpiredError):
        from bedplate.services.storage.backend import Placing

        await late.commit("late", Placing())
    await late.abort()
    assert await _unknown(storage, s3, moto_server, bucket) == []
    assert await uploads(s3, moto_server, bucket) == []


async def test_content_is_signed_by_the_digest_that_is_known(make: Make, namespace: Namespace) -> None:
    """STO-4: each call is signed over what it sends, and the library does not compute that again on the event loop."""
    storage = await make()
    files = storage._store
    assert isinstance(files, S3Files)
    signed: list[tuple[str, str]] = []

    def see(request: Any, **_: Any) -> None:
        body: Content = request.body
        signed.append((request.headers["X-Amz-Content-SHA256"].decode(), hashlib.sha256(body.getvalue()).hexdigest()))

    events = files._bucket._client.meta.events
    events.register("before-send.s3.PutObject", see)
    events.register("before-send.s3.UploadPart", see)
    info = await storage.save(namespace, "whole", b"whole")
    await storage.save(namespace, "parts", _pieces(_PART * 2))
    events.unregister("before-send.s3.PutObject", see)
    events.unregister("before-send.s3.UploadPart", see)
    assert len(signed) == 3
    assert all(sent == computed for sent, computed in signed)
    assert signed[0][0] == info.sha256

    other = Content(b"something else")
    other.sha256 = info.sha256
    events.register("before-send.s3.PutObject", see)
    await files._bucket.put(uuid.uuid4(), other)
    events.unregister("before-send.s3.PutObject", see)
    assert signed[3][0] == info.sha256


async def test_prefix_and_tags(
    make: Make, namespace: Namespace, s3: S3Engine, moto_server: S3Server, bucket: str
) -> None:
    """STO-4: every object has them, copies and those in parts included."""
    storage = await make(s3_prefix="here/", s3_tags={"team": "flows + more"})
    await storage.save(namespace, "a", b"x")
    await storage.copy(namespace, "a", namespace, "b")
    await storage.save(namespace, "c", _pieces(_PART + 1))
    keys = await objects(s3, moto_server, bucket)
    assert len(keys) == 3
    client = await s3.client(moto_server.address)
    for key in keys:
        assert key.startswith("here/")
        tags = await client.get_object_tagging(Bucket=bucket, Key=key)
        assert tags["TagSet"] == [{"Key": "team", "Value": "flows + more"}]


async def test_a_connection_lost_in_the_middle_is_resumed(
    make: Make, namespace: Namespace, moto_server: S3Server
) -> None:
    """STO-4: the reader gets every byte once, though the version was replaced meanwhile."""
    async with Relay(urlsplit(moto_server.endpoint).port or 0) as relay:
        storage = await make(server=_through(moto_server, relay))
        saved = await storage.save(namespace, "a", _pieces(8 * _MIB))
        digest = hashlib.sha256()
        async with await storage.open(namespace, "a") as file:
            async for chunk in file:
                digest.update(chunk)
                if relay.cuts < 2:
                    await storage.save(namespace, "a", b"new")
                    relay.cut()
        assert digest.hexdigest() == saved.sha256
        assert relay.cuts == 2


async def test_a_file_that_is_read_at_once_is_asked_for_again(
    make: Make, namespace: Namespace, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STO-4: where the connection is lost before all of it has come."""
    async with Relay(urlsplit(moto_server.endpoint).port or 0) as relay:
        storage = await make(server=_through(moto_server, relay))
        saved = await storage.save(namespace, "a", _pieces(4 * _MIB))
        files = storage._store
        assert isinstance(files, S3Files)
        get = files._bucket.get

        async def lost(*args: Any) -> Any:
            body = await get(*args)
            if relay.cuts < 2:
                relay.cut()
            return body

        monkeypatch.setattr(files._bucket, "get", lost)
        assert hashlib.sha256(await storage.read(namespace, "a")).hexdigest() == saved.sha256
        assert relay.cuts == 2


async def test_an_endpoint_that_stops_and_comes_back(make: Make, namespace: Namespace, moto_server: S3Server) -> None:
    """STO-4: one typed error meanwhile, nothing lost, and no restart."""
    async with Relay(urlsplit(moto_server.endpoint).port or 0) as relay:
        storage = await make(server=_through(moto_server, relay), s3_retries=0)
        await storage.save(namespace, "a", b"before")
        await relay.pause()
        for call in (
            storage.read(namespace, "a"),
            storage.save(namespace, "b", b"x"),
            storage.save(namespace, "c", _pieces(2 * _PART)),
        ):
            with pytest.raises(ObjectStoreError, match="S3_ENDPOINT") as caught:
                await call
            assert caught.value.retry_after
        assert (await storage.health()).status == "down"
        await relay.resume()
        assert await storage.read(namespace, "a") == b"before"
        await storage.save(namespace, "b", b"x")
        assert (await storage.health()).status == "up"
        assert [file.name for file in await storage.list(namespace)] == ["a", "b"]


def _through(server: S3Server, relay: Relay) -> S3Server:
    return S3Server(
        endpoint=f"http://127.0.0.1:{relay.port}", access_key=server.access_key, secret_key=server.secret_key
    )


async def test_a_copy_that_is_refused_leaves_no_object(
    make: Make, namespace: Namespace, s3: S3Engine, moto_server: S3Server, bucket: str
) -> None:
    """STO-4: the object that was made for it is deleted."""
    storage = await make()
    await storage.save(namespace, "a", b"x")
    await storage.save(namespace, "b", b"y")
    with pytest.raises(Exception, match="already"):
        await storage.copy(namespace, "a", namespace, "b", on_taken=OnTaken.REFUSE)
    assert len(await objects(s3, moto_server, bucket)) == 2


async def test_the_engine_has_one_client_for_one_endpoint(make: Make, s3: S3Engine) -> None:
    """STO-4: closed at stop, whoever shares it."""
    await asyncio.gather(make(), make())
    assert len(s3._clients) == 2  # that of the test, and that of both storages
    await s3.stop()
    assert not s3._clients


async def test_memory_is_bounded(make: Make, namespace: Namespace) -> None:
    """STO-4: so many parts and no more are sent at once; the source waits."""
    storage = await make(s3_parts=2, s3_concurrency=8)
    files = storage._store
    assert isinstance(files, S3Files)
    most = 0
    put_part = files._bucket.put_part
    busy = 0

    async def counted(*args: Any) -> Any:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        try:
            return await put_part(*args)
        finally:
            busy -= 1

    files._bucket.put_part = counted  # type: ignore[method-assign]
    await storage.save(namespace, "a", _pieces(8 * _PART))
    assert most == 2
