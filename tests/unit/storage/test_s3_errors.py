"""STO-4: what is wrong with a bucket, an endpoint or credentials, named by setting and fix, without secrets."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.servers.certificate import self_signed
from tests.servers.s3 import S3Server, new_bucket, rclone

from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.s3 import S3Address, S3Engine
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import BedplateError, MissingExtraError, UnavailableError
from bedplate.services.settings import SettingsService
from bedplate.services.storage import Namespace, StorageService
from bedplate.services.storage.errors import ObjectStoreError, ObjectStoreSettingError, StorageFullError
from bedplate.services.storage.factory import build_storage
from bedplate.services.telemetry import TelemetryService
from bedplate.wiring.testing.servers.postgres import free_port

pytestmark = pytest.mark.xdist_group("rclone")

_SECRET = "a-wrong-secret-that-nobody-may-see"


class Making:
    """Makes storages; which start is up to the test."""

    def __init__(
        self, folder: Path, database: DatabaseService, keyring: Keyring, workers: Workers, s3: S3Engine
    ) -> None:
        self._rest = database, keyring, workers, lambda: s3
        self._folder = folder

    def __call__(self, **values: Any) -> StorageService:
        settings = SettingsService(profile="test", data_dir=self._folder, storage=values)
        return build_storage(settings, TelemetryService(settings, Redactor(settings)), *self._rest)


@pytest.fixture
def making(tmp_path: Path, database: DatabaseService, keyring: Keyring, workers: Workers, s3: S3Engine) -> Making:
    return Making(tmp_path, database, keyring, workers, s3)


async def _refusal(storage: StorageService, kind: type[BedplateError], *texts: str) -> None:
    with pytest.raises(kind) as caught:
        await storage.start()
    said = f"{caught.value} {caught.value!r}"
    for text in texts:
        assert text in said
    assert said.startswith("storage: ")
    assert "Fix: " in said
    assert _SECRET not in said
    assert not storage.started


async def test_a_missing_bucket(making: Making, moto_server: S3Server, rclone_server: S3Server) -> None:
    """STO-4: named, with its setting."""
    for server in (moto_server, rclone_server):
        await _refusal(making(**server.settings("not-there")), ObjectStoreSettingError, "'not-there'", "S3_BUCKET")
    await _refusal(making(**moto_server.settings("No Bucket!")), ObjectStoreSettingError, "S3_BUCKET")


async def test_wrong_keys(making: Making, rclone_server: S3Server, s3: S3Engine) -> None:
    """STO-4: the secret, or both, as a server that checks signatures says."""
    bucket = await new_bucket(s3, rclone_server)
    for wrong in ({"s3_secret_key": _SECRET}, {"s3_access_key": "unknown", "s3_secret_key": _SECRET}):
        storage = making(**rclone_server.settings(bucket, **wrong))
        await _refusal(storage, ObjectStoreSettingError, "S3_ACCESS_KEY", "S3_SECRET_KEY")


async def test_no_keys(making: Making, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """STO-4: where neither settings nor the AWS chain have any, and where one of two is missing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    none = moto_server.settings("some-bucket", s3_access_key="", s3_secret_key=None)
    await _refusal(making(**none), ObjectStoreSettingError, "no credentials", "S3_ACCESS_KEY")
    with pytest.raises(ObjectStoreSettingError, match="one of the two keys"):
        making(**none | {"s3_access_key": "alone"})
    with pytest.raises(ObjectStoreSettingError, match="S3_BUCKET"):
        making(**none | {"s3_bucket": ""})


async def test_keys_of_the_environment(
    making: Making, rclone_server: S3Server, s3: S3Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STO-4: the usual AWS chain is the default."""
    bucket = await new_bucket(s3, rclone_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", rclone_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", rclone_server.secret_key)
    storage = making(**rclone_server.settings(bucket, s3_access_key="", s3_secret_key=None))
    await storage.start()
    await storage.stop()


async def test_nobody_at_the_endpoint(making: Making) -> None:
    """STO-4: may come back; the address is named."""
    server = S3Server(endpoint=f"http://127.0.0.1:{free_port()}")
    await _refusal(
        making(**server.settings("some-bucket", s3_retries=0)), ObjectStoreError, server.endpoint, "S3_ENDPOINT"
    )
    for endpoint in ("not a url", "127.0.0.1:9000", "http://"):
        await _refusal(
            making(**server.settings("some-bucket", s3_endpoint=endpoint, s3_retries=0)),
            ObjectStoreSettingError,
            "S3_ENDPOINT",
        )


@asynccontextmanager
async def _answering(answer: bytes) -> AsyncIterator[S3Server]:
    """A server on loopback that answers everything alike."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if head.startswith(b"HEAD") else answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield S3Server(endpoint=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()


def _answer(status: int, code: str) -> bytes:
    body = f"<Error><Code>{code}</Code><Message>{_SECRET}</Message></Error>".encode()
    head = (
        f"HTTP/1.1 {status} Status\r\nx-amz-bucket-region: eu-west-1\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close"
    )
    return head.encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("status", "code", "kind", "text"),
    [
        (403, "AccessDenied", ObjectStoreSettingError, "ListBucket"),
        (403, "ExpiredToken", ObjectStoreSettingError, "SESSION_TOKEN"),
        (400, "InvalidToken", ObjectStoreSettingError, "SESSION_TOKEN"),
        (403, "RequestTimeTooSkewed", ObjectStoreSettingError, "clock"),
        (400, "AuthorizationHeaderMalformed", ObjectStoreSettingError, "S3_REGION"),
        (301, "PermanentRedirect", ObjectStoreSettingError, "S3_REGION"),
        (405, "MethodNotAllowed", ObjectStoreSettingError, "S3_ENDPOINT"),
        (503, "SlowDown", ObjectStoreError, "busy"),
        (503, "ServiceUnavailable", ObjectStoreError, "busy"),
        (500, "InternalError", ObjectStoreError, "500 InternalError"),
        (507, "InsufficientStorage", StorageFullError, "space"),
    ],
)
async def test_what_servers_say(status: int, code: str, kind: type[BedplateError], text: str, making: Making) -> None:
    """STO-4: by the codes of Amazon S3; what else the server says is not repeated."""
    async with _answering(_answer(status, code)) as server:
        await _refusal(making(**server.settings("some-bucket", s3_retries=0)), kind, text)


async def test_what_is_no_s3_api(making: Making) -> None:
    """STO-4: a page, or nonsense, or nothing."""
    page = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope"
    html = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"
    for answer, kind in ((page, ObjectStoreSettingError), (html, ObjectStoreError), (b"", ObjectStoreError)):
        async with _answering(answer) as server:
            await _refusal(
                making(**server.settings("some-bucket", s3_retries=0)),
                kind,
                "S3_ENDPOINT",
            )


async def test_a_server_that_does_not_answer(making: Making) -> None:
    """STO-4: ends after the read timeout, which is named."""
    silent = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = S3Server(endpoint=endpoint).settings("some-bucket", s3_retries=0, s3_read_timeout=0.2)
    try:
        await _refusal(making(**settings), ObjectStoreError, "S3_READ_TIMEOUT")
    finally:
        silent.set()
        server.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that no authority has signed, and its key."""
    return self_signed(tmp_path)


async def test_tls(making: Making, certificate: tuple[Path, Path], tmp_path: Path, s3: S3Engine) -> None:
    """STO-4: a certificate that is not trusted is refused, and accepted once its authority is named."""
    folder = tmp_path / "rclone"
    folder.mkdir()
    options = ("--cert", str(certificate[0]), "--key", str(certificate[1]))
    with rclone(folder, options=options) as server:
        await _refusal(making(**server.settings("some-bucket", s3_retries=0)), ObjectStoreSettingError, "S3_CA_FILE")
        (folder / "data" / "some-bucket").mkdir()
        storage = making(**server.settings("some-bucket", s3_ca_file=certificate[0]))
        await storage.start()
        namespace = Namespace.user(uuid.uuid4())
        await storage.save(namespace, "a", b"over TLS")
        assert await storage.read(namespace, "a") == b"over TLS"
        await storage.stop()
        plain = S3Server(endpoint=server.endpoint.replace("https", "http"))
        await _refusal(making(**plain.settings("some-bucket", s3_retries=0)), BedplateError, "S3_ENDPOINT")


async def test_an_engine_that_is_not_started(moto_server: S3Server) -> None:
    """ALL-1."""
    with pytest.raises(UnavailableError, match="not started"):
        await S3Engine().client(moto_server.address)
    assert moto_server.secret_key not in repr(S3Address(secret_key=moto_server.secret_key))


def test_a_missing_extra(making: Making, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """ALL-2: names its install command."""
    import sys

    for name in [name for name in sys.modules if name.startswith("bedplate.services.storage.s3")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'bedplate\[s3\]'"):
        making(**moto_server.settings("some-bucket"))


async def test_presigned_links(making: Making, rclone_server: S3Server, s3: S3Engine) -> None:
    """STO-4: read one version of one file, by nobody's keys, until their time is over; none other is accepted."""
    bucket = await new_bucket(s3, rclone_server)
    storage = making(**rclone_server.settings(bucket))
    await storage.start()
    namespace = Namespace.user(uuid.uuid4())
    await storage.save(namespace, "Grüße.txt", b"hello")
    link = await storage.signed_url(namespace, "Grüße.txt", expires_in=60)
    assert link.url.startswith(rclone_server.endpoint)
    assert rclone_server.secret_key not in link.url
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(link.url)).content == b"hello"
        changed = link.url.replace("X-Amz-Expires=", "X-Amz-Expires=9")
        assert (await client.get(changed)).status_code in (400, 403)
        assert (await client.put(link.url, content=b"changed")).status_code in (400, 403)
        unsigned = link.url.partition("?")[0]
        assert (await client.get(unsigned)).status_code in (400, 403)
        short = await storage.signed_url(namespace, "Grüße.txt", expires_in=1)
        while (await client.get(short.url)).status_code == 200:
            assert datetime.now(UTC) < short.expires_at + timedelta(seconds=10)
    for ours in (
        await storage.signed_url(namespace, "Grüße.txt", method="PUT"),
        await storage.signed_url(namespace, "not there"),
    ):
        assert ours.url.startswith("/api/v1/files/signed?token=")
    await storage.stop()
    elsewhere = making(**rclone_server.settings(bucket, s3_public_endpoint="https://files.example.org"))
    await elsewhere.start()
    assert (await elsewhere.signed_url(namespace, "Grüße.txt")).url.startswith("https://files.example.org/")
    await elsewhere.stop()
    hidden = making(**rclone_server.settings(bucket, s3_presign=False))
    await hidden.start()
    assert (await hidden.signed_url(namespace, "Grüße.txt")).url.startswith("/api/v1/files/signed?token=")
    await hidden.stop()
