"""AUTH-2: RS256 and EdDSA, keys in files and settings, rotation, and what is published."""

import asyncio
import base64
import hmac
import json
import stat
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bedplate.services.auth import AuthService, Credentials
from bedplate.services.auth.errors import InvalidTokenError, KeyRotationError, TokenExpiredError
from bedplate.services.auth.key_files import KeyFolder
from bedplate.services.auth.key_ring import FOLDER, KeyRing
from bedplate.services.auth.tokens import Tokens, TokenType
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.errors import ConfigurationError
from bedplate.services.settings.errors import SettingsError
from bedplate.services.settings.groups.auth import AuthSettings
from bedplate.services.settings.service import SettingsService
from bedplate.wiring.testing.cancellation import ends_cancelled
from bedplate.wiring.testing.clients import Clients

Open = Callable[..., Awaitable[tuple[KeyRing, Tokens]]]


@pytest.fixture
async def process(tmp_path: Path, keyring: Keyring, workers: Workers) -> AsyncIterator[Open]:
    """Starts the keys and tokens of one more process on one data directory."""
    async with AsyncExitStack() as stack:

        async def start(algorithm: str = "EdDSA", **settings: Any) -> tuple[KeyRing, Tokens]:
            values = AuthSettings(algorithm=algorithm, **settings)
            ring = await stack.enter_async_context(_running(KeyRing(values, keyring, workers, tmp_path)))
            return ring, Tokens(values, ring, workers)

        yield start


@asynccontextmanager
async def _running(ring: KeyRing) -> AsyncIterator[KeyRing]:
    await ring.start()
    try:
        yield ring
    finally:
        await ring.stop()


def issue(tokens: Tokens) -> str:
    return tokens.issue(TokenType.ACCESS, user_id=uuid.uuid4(), session_id=uuid.uuid4(), token_id="1")


def pem_of(private: Any) -> bytes:
    pem: bytes = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem


def public_pem_of(private: Any) -> bytes:
    pem: bytes = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def stored(path: Path, pem: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(pem)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
async def test_tokens_are_signed_with_a_key_that_is_made_once_and_kept(
    process: Open, tmp_path: Path, algorithm: str
) -> None:
    """AUTH-2: the key lies in a file of its owner's, and every process and every later start finds it."""
    ring, tokens = await process(algorithm)
    token = issue(tokens)
    header = jwt.get_unverified_header(token)
    assert header == {"alg": algorithm, "typ": "JWT", "kid": ring.current.id}
    assert ring.of_token(token) is ring.current
    [file] = (tmp_path / FOLDER).iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    later, read = await process(algorithm)
    assert later.current.id == ring.current.id
    assert read.read(token, TokenType.ACCESS).token_id == "1"


async def test_keys_are_parsed_once(process: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """AUTH-2: neither signing, nor verifying, nor looking at the files again parses a PEM."""
    ring, tokens = await process("RS256", verification_key_files=())
    signs, verifies = ring.current.signs, ring.current.verifies
    monkeypatch.setattr("bedplate.services.auth.pem.read_pem", None)
    monkeypatch.setattr(serialization, "load_pem_private_key", None)
    tokens.read(issue(tokens), TokenType.ACCESS)
    ring._seen = None
    await ring.reload()
    assert ring.current.signs is signs
    assert ring.current.verifies is verifies


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
async def test_after_a_rotation_old_tokens_are_good_until_they_expire(process: Open, algorithm: str) -> None:
    """AUTH-2: nobody is logged out by a rotation, and no key is good for longer than its tokens."""
    ring, tokens = await process(algorithm)
    with time_machine.travel(time.time(), tick=False) as clock:
        old = issue(tokens)
        rotation = await ring.rotate()
        assert rotation.previous_key_id == jwt.get_unverified_header(old)["kid"] != rotation.key_id
        new = issue(tokens)
        assert jwt.get_unverified_header(new)["kid"] == rotation.key_id == ring.current.id
        assert tokens.read(old, TokenType.ACCESS) != tokens.read(new, TokenType.ACCESS)
        clock.shift(3600)
        with pytest.raises(TokenExpiredError):
            tokens.read(old, TokenType.ACCESS)
        clock.move_to(rotation.previous_good_until)
        with pytest.raises(InvalidTokenError, match="unknown key"):
            tokens.read(old, TokenType.ACCESS)
        assert tokens.read(issue(tokens), TokenType.ACCESS)


async def test_a_rotation_cancelled_at_any_await_leaves_keys_that_work(process: Open) -> None:
    """AUTH-2: with the old key or the new one, and the old tokens are good."""
    ring, tokens = await process()
    for number in range(1, 50):
        old = issue(tokens)
        cut = await ends_cancelled({number}, ring.rotate())
        await ring.reload()
        assert await tokens.check(issue(tokens), TokenType.ACCESS)
        assert await tokens.check(old, TokenType.ACCESS)
        if not cut:
            break
    else:
        pytest.fail("it never ended by itself")


async def test_a_rotation_removes_keys_whose_tokens_have_expired(process: Open, tmp_path: Path) -> None:
    """AUTH-2: the folder does not grow for ever."""
    ring, _ = await process()
    with time_machine.travel(time.time(), tick=False) as clock:
        for _ in range(3):
            clock.shift(1)
            await ring.rotate()
        assert len(list((tmp_path / FOLDER).iterdir())) == 4
        clock.shift(8 * 24 * 3600)
        await ring.rotate()
    kept = {file.name.partition("-")[2].removesuffix(".pem") for file in (tmp_path / FOLDER).iterdir()}
    assert len(kept) == 2
    assert ring.current.id in kept


async def test_other_processes_take_tokens_of_a_new_key_at_once(process: Open) -> None:
    """AUTH-2: a token with an unknown key makes them look for it."""
    (ring, tokens), (other, reader) = await process(), await process()
    await ring.rotate()
    token = issue(tokens)
    assert other.get(ring.current.id) is None
    assert (await reader.check(token, TokenType.ACCESS)).token_id == "1"
    assert other.current.id == ring.current.id


async def test_other_processes_sign_with_a_new_key_within_the_bound(
    process: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUTH-2: they look by themselves."""
    ring, _ = await process()
    other, _ = await process(signing_key_reload=0.01)
    await ring.rotate()
    reload, looked = other.reload, asyncio.Event()

    async def noted() -> None:
        await reload()
        looked.set()

    monkeypatch.setattr(other, "reload", noted)
    async with asyncio.timeout(30):
        while other.current.id != ring.current.id:
            looked.clear()
            await looked.wait()


async def test_forged_key_ids_do_not_make_it_read_files_again_and_again(
    process: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUTH-2: anybody can send such tokens, any number of them."""
    ring, tokens = await process()
    looks: list[object] = []
    monkeypatch.setattr(ring, "reload", lambda: _noted(looks))
    forged = jwt.encode({"sub": "x"}, "k" * 32, "HS256", headers={"kid": "forged"})
    with time_machine.travel(time.time(), tick=False):
        for _ in range(50):
            with pytest.raises(InvalidTokenError):
                await tokens.check(forged, TokenType.ACCESS)
    assert len(looks) <= 2


async def _noted(looks: list[object]) -> None:
    looks.append(None)


async def test_processes_that_start_at_once_agree(process: Open) -> None:
    """AUTH-2: whichever key each of them made, they take each other's tokens."""
    started = await asyncio.gather(*(process() for _ in range(4)))
    for _, signer in started:
        token = issue(signer)
        for ring, reader in started:
            ring._unknown_at = -100.0
            assert (await reader.check(token, TokenType.ACCESS)).token_id == "1"
    for ring, _ in started:
        ring._seen = None
        await ring.reload()
    assert len({ring.current.id for ring, _ in started}) == 1


async def test_a_public_key_is_not_taken_for_a_secret(process: Open) -> None:
    """AUTH-2: a token of HS256, made with the public key as its secret, is refused (RFC 8725, 2.1)."""
    ring, tokens = await process("RS256", previous_algorithms=("HS256",))
    payload = jwt.decode(issue(tokens), options={"verify_signature": False})
    pem = ring.current.verifies.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for header in ({"alg": "HS256", "typ": "JWT", "kid": ring.current.id}, {"alg": "HS256", "typ": "JWT"}):
        content = ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, payload)
        )
        signature = base64.urlsafe_b64encode(hmac.digest(pem, content.encode(), "sha256")).rstrip(b"=").decode()
        with pytest.raises(InvalidTokenError):
            tokens.read(f"{content}.{signature}", TokenType.ACCESS)


async def test_changing_the_algorithm(process: Open) -> None:
    """AUTH-2: tokens of the algorithm before are good where a setting says so, and nowhere else."""
    _, before = await process("HS256")
    token = issue(before)
    _, strict = await process("EdDSA")
    with pytest.raises(InvalidTokenError):
        strict.read(token, TokenType.ACCESS)
    ring, lenient = await process("EdDSA", previous_algorithms=("HS256",))
    assert lenient.read(token, TokenType.ACCESS).token_id == "1"
    assert jwt.get_unverified_header(issue(lenient))["alg"] == "EdDSA"
    derived = next(key for key in ring._by_id.values() if key.algorithm == "HS256")
    assert derived.good_until < time.time() + 8 * 24 * 3600


async def test_keys_given_by_settings(process: Open, tmp_path: Path) -> None:
    """AUTH-2: as text or as a file; the old one goes on verifying where it is named."""
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    file = stored(tmp_path / "key.pem", pem_of(new))
    public = stored(tmp_path / "old.pem", public_pem_of(old), 0o644)
    ring, before = await process(signing_key=pem_of(old).decode())
    assert not (tmp_path / FOLDER).exists()
    after_ring, after = await process(signing_key_file=file, verification_key_files=(public,))
    token = issue(before)
    assert after.read(token, TokenType.ACCESS).token_id == "1"
    assert ring.current.id != after_ring.current.id
    with pytest.raises(KeyRotationError, match="VERIFICATION_KEY_FILES"):
        await after_ring.rotate()
    stored(file, pem_of(Ed25519PrivateKey.generate()))
    await after_ring.reload()
    assert after.read(issue(after), TokenType.ACCESS)
    with pytest.raises(InvalidTokenError):
        before.read(issue(after), TokenType.ACCESS)


BAD = {
    "no PEM": b"hello",
    "cut off": pem_of(Ed25519PrivateKey.generate())[:60],
    "another curve": pem_of(ec.generate_private_key(ec.SECP256R1())),
    "too small": pem_of(rsa.generate_private_key(65537, 1024)),
    "public": public_pem_of(Ed25519PrivateKey.generate()),
    "for another algorithm": pem_of(rsa.generate_private_key(65537, 2048)),
    "with a passphrase": Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    ),
    "too large": b"x" * 100_000,
}


@pytest.mark.parametrize("what", BAD)
async def test_a_file_without_a_good_key_stops_the_start(process: Open, tmp_path: Path, what: str) -> None:
    """AUTH-2: with the file, what is wrong and what to do, and without its content."""
    file = stored(tmp_path / "key.pem", BAD[what])
    with pytest.raises(ConfigurationError) as refused:
        await process(signing_key_file=file)
    assert str(file) in refused.value.what
    assert refused.value.fix
    assert BAD[what].decode() not in str(refused.value)


async def test_a_key_that_everybody_can_read_or_that_is_missing_stops_the_start(process: Open, tmp_path: Path) -> None:
    """AUTH-2"""
    file = stored(tmp_path / "key.pem", pem_of(Ed25519PrivateKey.generate()), 0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        await process(signing_key_file=file)
    with pytest.raises(ConfigurationError, match="SIGNING_KEY_FILE"):
        await process(signing_key_file=tmp_path / "missing.pem")


async def test_a_key_that_breaks_later_leaves_the_known_ones_in_use(
    process: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """AUTH-2: a half-mounted secret must not log everybody out."""
    file = stored(tmp_path / "key.pem", pem_of(Ed25519PrivateKey.generate()))
    _, tokens = await process(signing_key_file=file)
    token = issue(tokens)
    stored(file, b"")
    forged = jwt.encode({"sub": "x"}, "k" * 32, "HS256", headers={"kid": "forged"})
    with pytest.raises(InvalidTokenError):
        await tokens.check(forged, TokenType.ACCESS)
    assert "signing keys cannot be read again" in caplog.text
    assert tokens.read(token, TokenType.ACCESS)


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """AUTH-2"""
    for auth in (
        {"algorithm": "EdDSA", "signing_key": "a", "signing_key_file": tmp_path / "b"},
        {"algorithm": "HS256", "signing_key": "a"},
        {"algorithm": "none"},
    ):
        with pytest.raises(SettingsError):
            SettingsService(data_dir=tmp_path, auth=auth)


async def test_files_that_are_no_keys_are_passed_over(process: Open, tmp_path: Path) -> None:
    """AUTH-2: what a crash in the middle of a write left behind."""
    ring, _ = await process()
    (tmp_path / FOLDER / ".0123456789abcdef").write_bytes(b"half a k")
    (tmp_path / FOLDER / "notes.txt").write_text("hello")
    assert len(KeyFolder(tmp_path / FOLDER).read()) == 1
    await ring.rotate()
    assert len(KeyFolder(tmp_path / FOLDER).read()) == 2


async def test_a_session_survives_a_rotation(make_auth: Any) -> None:
    """AUTH-2, AUTH-3: with access and refresh tokens, in every replica."""
    auth: AuthService = await make_auth(sign_up="open", algorithm="EdDSA")
    replica: AuthService = await make_auth(replica=True, algorithm="EdDSA")
    await auth.users.sign_up("alice", "wonderland")
    pair = await auth.login("alice", "wonderland")
    await auth.rotate_keys()
    assert (await replica.verify(Credentials(bearer=pair.access_token))).user.username == "alice"
    again = await auth.refresh(pair.refresh_token)
    assert (await replica.verify(Credentials(bearer=again.access_token))).user.username == "alice"


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
async def test_anybody_can_verify_tokens_with_the_published_keys(make_auth: Any, algorithm: str) -> None:
    """AUTH-2: a JWK set (RFC 7517) with the public parts of the keys before and after the rotation."""
    auth: AuthService = await make_auth(sign_up="open", algorithm=algorithm)
    await auth.users.sign_up("alice", "wonderland")
    before = (await auth.login("alice", "wonderland")).access_token
    await auth.rotate_keys()
    after = (await auth.login("alice", "wonderland")).access_token
    published = auth.public_keys()
    assert len(published) == 2
    assert not {"d", "p", "q", "k"} & set().union(*published)
    keys = jwt.PyJWKSet.from_dict({"keys": published})
    for token in (before, after):
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key, algorithms=[algorithm], audience="bedplate", issuer="bedplate")
        assert claims["typ"] == "access"
    assert published[0]["kid"] == jwt.get_unverified_header(after)["kid"]


class TestRoute:
    async def test_nothing_is_published_for_a_shared_secret(self, client: httpx.AsyncClient) -> None:
        """AUTH-2"""
        answer = await client.get("/.well-known/jwks.json")
        assert answer.json() == {"keys": []}
        assert answer.headers["content-type"] == "application/jwk-set+json"


class TestRouteWithPublicKeys:
    @pytest.fixture
    def container_settings(self, container_settings: dict[str, Any]) -> dict[str, Any]:
        return container_settings | {"auth": {"algorithm": "EdDSA"}}

    async def test_the_keys_are_at_the_well_known_place(self, clients: Clients) -> None:
        """AUTH-2: for whoever verifies our tokens, without credentials, to be kept for a while."""
        answer = await (await clients.anonymous()).get("/.well-known/jwks.json")
        [key] = answer.json()["keys"]
        assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", "EdDSA")
        assert answer.headers["cache-control"] == "public, max-age=30"
        user = await clients.logged_in("alice")
        assert jwt.get_unverified_header(user.headers["authorization"].split()[1])["kid"] == key["kid"]
