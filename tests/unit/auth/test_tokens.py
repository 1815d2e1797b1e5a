"""AUTH-2: what a token must be to be accepted, and every way to forge one."""

import base64
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bedplate.services.auth import AuthService, Credentials, TokenPair
from bedplate.services.auth.errors import InvalidTokenError, TokenExpiredError
from bedplate.services.auth.key_ring import KeyRing
from bedplate.services.auth.tokens import Tokens, TokenType
from bedplate.services.engines.keyring import Keyring
from bedplate.services.engines.workers import Workers
from bedplate.services.settings import SettingsService
from bedplate.services.settings.groups.auth import AuthSettings


@pytest.fixture
async def tokens(tmp_path: Path, keyring: Keyring, workers: Workers) -> AsyncIterator[Tokens]:
    keys = KeyRing(AuthSettings(), keyring, workers, tmp_path)
    await keys.start()
    yield Tokens(AuthSettings(), keys, workers)
    await keys.stop()


@pytest.fixture
def access(tokens: Tokens) -> str:
    return tokens.issue(TokenType.ACCESS, user_id=uuid.uuid4(), session_id=uuid.uuid4(), token_id="1")


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def signed(keyring: Keyring, token: str, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """The token with other claims (None leaves one out), signed with the right key."""
    headers, payload = parts(token)
    payload = {name: value for name, value in (payload | claims).items() if value is not None}
    # By hand: PyJWT refuses to write some of what it must refuse to read.
    content = f"{encoded(headers | (header or {}))}.{encoded(payload)}"
    signature = hmac.digest(keyring.derive("auth/jwt"), content.encode(), "sha256")
    return f"{content}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_a_token_signed_like_this_is_accepted(tokens: Tokens, keyring: Keyring, access: str) -> None:
    """The forgeries below fail by what is forged, not by how these tests sign."""
    assert tokens.read(signed(keyring, access, jti="2"), TokenType.ACCESS).token_id == "2"


def test_a_token_has_all_the_claims_and_the_id_of_its_key(access: str) -> None:
    """AUTH-2"""
    header, payload = parts(access)
    assert set(payload) == {"iss", "aud", "sub", "exp", "nbf", "iat", "jti", "typ", "sid"}
    assert payload["typ"] == "access"
    assert header["alg"] == "HS256"
    assert header["kid"]


async def test_access_and_refresh_token_are_not_exchangeable(auth: AuthService, alice: TokenPair) -> None:
    """AUTH-2: a refresh token is not accepted as an access token, nor the other way round."""
    with pytest.raises(InvalidTokenError):
        await auth.verify(Credentials(bearer=alice.refresh_token))
    with pytest.raises(InvalidTokenError):
        await auth.refresh(alice.access_token)
    await auth.verify(Credentials(bearer=alice.access_token))
    await auth.refresh(alice.refresh_token)


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "typ", "sid"])
def test_every_claim_is_required(tokens: Tokens, keyring: Keyring, access: str, claim: str) -> None:
    """AUTH-2"""
    with pytest.raises(InvalidTokenError):
        tokens.read(signed(keyring, access, **{claim: None}), TokenType.ACCESS)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody else"},
        {"aud": "somebody else"},
        {"aud": ["bedplate"]},
        {"aud": ["bedplate", "somebody else"]},
        {"sub": "no uuid"},
        {"sub": 7},
        {"sid": "no uuid"},
        {"sid": 7},
        {"sid": ["a"]},
        {"jti": 7},
        {"typ": "refresh"},
        {"typ": "session"},
        {"typ": "ACCESS"},
        {"typ": ["access"]},
        {"typ": {"access": 1}},
        {"nbf": 32503680000},
        {"iat": 32503680000},
        {"exp": "tomorrow"},
        {"exp": "32503680000"},
        {"exp": 1e300},
        {"exp": True},
        {"exp": 32503680000.5},
    ],
    ids=str,
)
def test_a_wrong_claim_is_refused_even_if_signed(
    tokens: Tokens, keyring: Keyring, access: str, claims: dict[str, Any]
) -> None:
    """AUTH-2"""
    with pytest.raises(InvalidTokenError):
        tokens.read(signed(keyring, access, **claims), TokenType.ACCESS)


@pytest.mark.parametrize(
    "header", [{"kid": "another"}, {"crit": ["exp"]}, {"b64": True}, {"jwk": {}}, {"typ": "at+jwt"}], ids=str
)
def test_a_wrong_header_is_refused_even_if_signed(
    tokens: Tokens, keyring: Keyring, access: str, header: dict[str, Any]
) -> None:
    """AUTH-2: no header parameter that we do not set ourselves is ever honoured."""
    with pytest.raises(InvalidTokenError):
        tokens.read(signed(keyring, access, header=header), TokenType.ACCESS)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, 0])
def test_an_unsigned_token_is_refused(tokens: Tokens, access: str, algorithm: Any) -> None:
    """AUTH-2: ``alg: none`` in all spellings (RFC 8725, 2.1)."""
    header, payload = parts(access)
    for signature in ("", access.rpartition(".")[2]):
        with pytest.raises(InvalidTokenError):
            tokens.read(f"{encoded(header | {'alg': algorithm})}.{encoded(payload)}.{signature}", TokenType.ACCESS)


def test_another_algorithm_is_refused_even_with_the_right_key(tokens: Tokens, keyring: Keyring, access: str) -> None:
    """AUTH-2: the allow-list has one entry."""
    header, payload = parts(access)
    for algorithm in ("HS384", "HS512"):
        forged = jwt.encode(payload, keyring.derive("auth/jwt") * 2, algorithm, headers={"kid": header["kid"]})
        with pytest.raises(InvalidTokenError):
            tokens.read(forged, TokenType.ACCESS)
    private = rsa.generate_private_key(65537, 2048)
    with pytest.raises(InvalidTokenError):
        tokens.read(jwt.encode(payload, private, "RS256", headers={"kid": header["kid"]}), TokenType.ACCESS)


async def test_a_token_of_another_installation_is_refused(tmp_path: Path, tokens: Tokens, workers: Workers) -> None:
    """AUTH-2: the signing key derives from the secret key."""
    elsewhere = Keyring(SettingsService(data_dir=tmp_path, secret_key="the-secret-key-of-another-place-98765"))
    await elsewhere.start()
    keys = KeyRing(AuthSettings(), elsewhere, workers, tmp_path / "elsewhere")
    await keys.start()
    theirs = Tokens(AuthSettings(), keys, workers)
    foreign = theirs.issue(TokenType.ACCESS, user_id=uuid.uuid4(), session_id=uuid.uuid4(), token_id="1")
    theirs.read(foreign, TokenType.ACCESS)
    with pytest.raises(InvalidTokenError):
        tokens.read(foreign, TokenType.ACCESS)
    await keys.stop()
    await elsewhere.stop()


def test_a_token_expires_to_the_second(tokens: Tokens) -> None:
    """AUTH-2: the leeway for clocks does not lengthen a token's life."""
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False) as clock:
        token = tokens.issue(TokenType.ACCESS, user_id=uuid.uuid4(), session_id=uuid.uuid4(), token_id="1")
        clock.shift(3599)
        tokens.read(token, TokenType.ACCESS)
        clock.shift(1)
        with pytest.raises(TokenExpiredError):
            tokens.read(token, TokenType.ACCESS)
        assert tokens.read(token, None, expired=True).token_id == "1"


def test_a_replica_whose_clock_is_a_little_ahead_is_trusted(tokens: Tokens) -> None:
    """AUTH-2: nbf and iat have a leeway of seconds."""
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False) as clock:
        token = tokens.issue(TokenType.ACCESS, user_id=uuid.uuid4(), session_id=uuid.uuid4(), token_id="1")
        clock.shift(-5)
        tokens.read(token, TokenType.ACCESS)
        clock.shift(-1)
        with pytest.raises(InvalidTokenError):
            tokens.read(token, TokenType.ACCESS)


def test_no_single_character_of_a_token_can_be_changed(tokens: Tokens, access: str) -> None:
    """AUTH-2: tampering anywhere is noticed."""
    for place, character in enumerate(access):
        other = "A" if character != "A" else "B"
        tampered = access[:place] + other + access[place + 1 :]
        if decoded(tampered) == decoded(access):
            continue  # the unused bits of the last character of a part
        with pytest.raises(InvalidTokenError):
            tokens.read(tampered, TokenType.ACCESS)


def decoded(token: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "==") for part in token.split(".")]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
known_claims = st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "typ", "sid"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(claims=st.dictionaries(known_claims, json_values, min_size=1, max_size=9))
def test_whatever_the_claims_are_the_answer_is_one_kind_of_error(
    tokens: Tokens, keyring: Keyring, access: str, claims: dict[str, Any]
) -> None:
    """AUTH-2: claims of any type, well signed, are refused by an InvalidTokenError or were right."""
    token = signed(keyring, access, **claims)
    try:
        tokens.read(token, TokenType.ACCESS)
    except InvalidTokenError:
        return
    payload = parts(token)[1]
    assert (payload["iss"], payload["aud"], payload["typ"]) == ("bedplate", "bedplate", "access")
    assert payload["exp"] > time.time() >= payload["nbf"] - 5


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(token=st.text(max_size=300) | st.lists(st.text("aeyJ-_0.", max_size=40), max_size=5).map(".".join))
@example(token="")
@example(token="..")
@example(token="\ud800.a.b")
@example(token="a" * 1_000_000)
@example(token=encoded({"alg": "HS256"}) + "." + "A" * 3000 + ".")
@example(token=encoded([1]) + "." + encoded([1]) + ".AAAA")
def test_whatever_comes_as_a_token_is_refused(tokens: Tokens, token: str) -> None:
    """AUTH-2: garbage of any form is an InvalidTokenError, which does not repeat it."""
    with pytest.raises(InvalidTokenError) as refused:
        tokens.read(token, None)
    assert len(token) < 8 or token not in str(refused.value)
