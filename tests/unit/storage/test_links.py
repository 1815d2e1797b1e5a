"""STO-3: links to files: what they carry, and what is refused."""

import base64
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedplate.services.database import DatabaseService
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.redactor import Redactor
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import InvalidInputError, UnavailableError
from bedplate.services.settings import SettingsService
from bedplate.services.storage import (
    FileNameError,
    Namespace,
    SignedAccess,
    SignedUrl,
    SignedUrlError,
    StorageService,
)
from bedplate.services.storage.factory import build_storage
from bedplate.services.storage.signing import MAX_TOKEN, Signer
from bedplate.services.telemetry import TelemetryService

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer(clock: Clock) -> Signer:
    return Signer(b"k" * 32, clock)


def _access(**fields: object) -> SignedAccess:
    values: dict[str, object] = {
        "method": "GET",
        "namespace": Namespace.flow(uuid.UUID(int=1), uuid.UUID(int=2)),
        "name": "Grüße (1).txt",
        "expires_at": NOW + timedelta(hours=1),
        "filename": "save as.txt",
        "inline": True,
    }
    return SignedAccess(**(values | fields))  # type: ignore[arg-type]


def _token(url: SignedUrl) -> str:
    return url.url.partition("token=")[2]


def test_what_was_signed_comes_back(signer: Signer) -> None:
    """STO-3: whole, and by another process with the same key."""
    for access in (_access(), _access(method="PUT", filename=None, inline=False)):
        assert Signer(b"k" * 32, lambda: NOW.timestamp()).verify(signer.sign(access), access.method) == access


def test_no_character_of_a_link_can_be_changed(signer: Signer) -> None:
    """STO-3: nor left out, nor added; whatever it is changed to."""
    token = signer.sign(_access())
    for index in range(len(token)):
        for other in "Aa0_-B=%é\0":
            if token[index] != other:
                with pytest.raises(SignedUrlError):
                    signer.verify(token[:index] + other + token[index + 1 :], "GET")
        with pytest.raises(SignedUrlError):
            signer.verify(token[:index] + token[index + 1 :], "GET")
        with pytest.raises(SignedUrlError):
            signer.verify(token[:index], "GET")
    for added in ("A", "=", "==", "\n", " "):
        with pytest.raises(SignedUrlError):
            signer.verify(token + added, "GET")


def test_a_link_ends_at_its_time(signer: Signer, clock: Clock) -> None:
    """STO-3: to the second, and says that it has ended only to who has a real one."""
    token = signer.sign(_access())
    clock.now = NOW + timedelta(minutes=59, seconds=59)
    signer.verify(token, "GET")
    clock.now += timedelta(seconds=1)
    with pytest.raises(SignedUrlError, match="expired"):
        signer.verify(token, "GET")
    with pytest.raises(SignedUrlError, match="not valid"):
        signer.verify("A" + token[1:] if token[0] != "A" else "B" + token[1:], "GET")


def test_a_link_is_for_one_purpose_and_one_installation(signer: Signer) -> None:
    """STO-3: a link to read saves nothing, and the other way round; another key makes no link of this one."""
    for method, other in (("GET", "PUT"), ("PUT", "GET")):
        with pytest.raises(SignedUrlError, match=method):
            signer.verify(signer.sign(_access(method=method)), other)
    with pytest.raises(SignedUrlError, match="not valid"):
        signer.verify(Signer(b"j" * 32).sign(_access()), "GET")


def test_what_is_signed_but_makes_no_sense_is_refused(signer: Signer) -> None:
    """STO-3: such as the link of another version of this program."""
    for packed in (b"", b"\x90", b"\xc1", b"\x99" + b"\x01" * 9):
        data = signer._mac(packed) + packed
        with pytest.raises(SignedUrlError):
            signer.verify(base64.urlsafe_b64encode(data).rstrip(b"=").decode(), "GET")
    with pytest.raises(SignedUrlError):
        signer.verify(signer.sign(_access(name="../../etc/passwd")), "GET")


@given(token=st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_no_text_is_a_link(token: str) -> None:
    """STO-3"""
    with pytest.raises(SignedUrlError):
        Signer(b"k" * 32).verify(token, "GET")


def test_the_longest_link_can_be_used(signer: Signer) -> None:
    """STO-3: the longest names make no token that is too long."""
    access = _access(name="ä" * 127, filename="ö" * 127)
    token = signer.sign(access)
    assert len(token) <= MAX_TOKEN
    assert signer.verify(token, "GET") == access


async def test_a_link_of_the_service(storage: StorageService, namespace: Namespace) -> None:
    """STO-3: for an hour unless the caller says so, under the address of the settings."""
    link = await storage.signed_url(namespace, "a.txt", filename="b.txt")
    assert link.url.startswith("/api/v1/files/signed?token=")
    assert timedelta(minutes=59) < link.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    access = storage.redeem(_token(link), "GET")
    assert (access.namespace, access.name, access.filename) == (namespace, "a.txt", "b.txt")
    assert access.expires_at == link.expires_at
    short = await storage.signed_url(namespace, "a.txt", method="PUT", expires_in=timedelta(minutes=1))
    assert short.expires_at - datetime.now(UTC) <= timedelta(minutes=1)


async def test_no_log_has_a_link_that_works(storage: StorageService, namespace: Namespace, redactor: Redactor) -> None:
    """STO-3: the token is a parameter of the query, which is masked wherever text is."""
    link = await storage.signed_url(namespace, "a.txt")
    for line in (f'127.0.0.1 - "GET {link.url} HTTP/1.1" 200', f"https://files.example.org{link.url}&x=1"):
        assert _token(link) in line
        assert _token(link) not in redactor.text(line)


async def test_impossible_links_are_refused(storage: StorageService, namespace: Namespace) -> None:
    """STO-3: names, times and purposes."""
    for seconds in (0, -1, 604_801, float("inf"), float("nan"), "1", timedelta(days=8)):
        with pytest.raises(InvalidInputError, match="MAX_LINK_SECONDS"):
            await storage.signed_url(namespace, "a", expires_in=seconds)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="GET or PUT"):
        await storage.signed_url(namespace, "a", method="DELETE")  # type: ignore[arg-type]
    for name, filename in (("../a", None), ("a", "../a"), ("a", "a\r\nb")):
        with pytest.raises(FileNameError):
            await storage.signed_url(namespace, name, filename=filename)


async def test_links_depend_on_the_secret_key(
    settings: SettingsService,
    telemetry: TelemetryService,
    database: DatabaseService,
    workers: Workers,
    storage: StorageService,
    namespace: Namespace,
) -> None:
    """STO-3: those of another installation open nothing; a stopped service opens nothing, either."""
    other = Keyring(SettingsService(profile="test", secret_key="another key, of forty characters or so: xyz"))
    await other.start()
    elsewhere = build_storage(settings, telemetry, database, other, workers)
    await elsewhere.start()
    token = _token(await elsewhere.signed_url(namespace, "a"))
    assert elsewhere.redeem(token, "GET").name == "a"
    with pytest.raises(SignedUrlError):
        storage.redeem(token, "GET")
    await elsewhere.stop()
    await other.stop()
    with pytest.raises(UnavailableError):
        elsewhere.redeem(token, "GET")
