"""AUTH-8: users of an OpenID Connect issuer, against a real one on this machine."""

import asyncio
import base64
import hmac
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from pydantic import SecretStr

from bedplate.services.auth import AuditKind, AuthService, Client, Credentials, Method, Principal, UserChanges
from bedplate.services.auth.errors import (
    IdentityNotAllowedError,
    InactiveUserError,
    InvalidCredentialsError,
    InvalidTokenError,
    IssuerUnavailableError,
    OidcDisabledError,
    TokenExpiredError,
)
from bedplate.services.auth.oidc.claims import check_claims, grants_superuser
from bedplate.services.settings.errors import SettingsError
from bedplate.services.settings.groups.oidc import OidcSettings
from bedplate.services.settings.service import SettingsService
from bedplate.wiring.testing.cancellation import ends_cancelled
from bedplate.wiring.testing.clients import Clients
from bedplate.wiring.testing.oidc import LocalIssuer

MakeAuth = Callable[..., Awaitable[AuthService]]
CALLBACK = "http://localhost/api/v1/auth/oidc/callback"


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer() as issuer:
        yield issuer


@pytest.fixture
def with_issuer(make_auth: MakeAuth, issuer: LocalIssuer) -> MakeAuth:
    """Starts an auth service that knows the issuer."""

    async def make(*, replica: bool = False, **oidc: Any) -> AuthService:
        known = {
            "issuer": issuer.issuer,
            "client_id": issuer.client_id,
            "client_secret": issuer.client_secret,
            "keys_interval": 0.0,
        }
        return await make_auth(replica=replica, oidc=known | oidc)

    return make


async def enter(auth: AuthService, token: str) -> Principal:
    return await auth.verify(Credentials(bearer=token))


async def test_somebody_new_becomes_a_user(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: at the first token, once, in every replica; with a name, and without a password that works."""
    auth, replica = await with_issuer(), await with_issuer(replica=True)
    first = await enter(auth, issuer.token())
    assert (first.user.username, first.user.is_active, first.user.is_superuser) == ("ada", True, False)
    assert first.method is Method.OIDC
    assert first.identity_id is not None
    assert first.expires_at is not None
    assert first.expires_at.timestamp() == pytest.approx(time.time() + 300, abs=10)
    again = await enter(replica, issuer.token(preferred_username="another name"))
    assert (again.user.id, again.identity_id) == (first.user.id, first.identity_id)
    assert (await enter(auth, issuer.token(sub="person-2", preferred_username="bob"))).user.id != first.user.id
    for password in ("", "ada", "!"):
        with pytest.raises(InvalidCredentialsError):
            await auth.login("ada", password)


async def test_ten_requests_of_somebody_new_at_once_make_one_user(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: in two replicas."""
    services = [await with_issuer(), await with_issuer(replica=True)]
    token = issuer.token()
    callers = await asyncio.gather(*(enter(services[number % 2], token) for number in range(10)))
    assert len({caller.user.id for caller in callers}) == 1
    assert {caller.user.username for caller in callers} == {"ada"}


async def test_somebody_new_cancelled_at_any_await_is_whole_or_nobody(
    with_issuer: MakeAuth, issuer: LocalIssuer
) -> None:
    """AUTH-8: never a user without an identity, nor two of one."""
    auth = await with_issuer()
    root = Principal(user=await auth.create_superuser("root", "root's password"), method=Method.ACCESS_TOKEN)
    await enter(auth, issuer.token())
    for number in range(1, 200):
        token = issuer.token(sub=f"new-{number}", preferred_username=f"new-{number}")
        cut = await ends_cancelled({number}, enter(auth, token))
        caller = await enter(auth, token)
        assert caller.user.username == f"new-{number}"
        assert (await auth.users.list(root, limit=1000)).total == number + 2
        if not cut:
            break
    else:
        pytest.fail("it never ended by itself")


async def test_a_name_never_takes_over_an_account(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: whoever chooses a taken name at the issuer gets another one here, even the superuser's."""
    auth = await with_issuer()
    ours = await auth.create_superuser("ada", "lovelace")
    theirs = await enter(auth, issuer.token(email="ada@example.org", email_verified=True))
    assert theirs.user.id != ours.id
    assert theirs.user.username.startswith("ada-")
    assert not theirs.user.is_superuser
    for number, name in enumerate(("", " ", "\x00", "x" * 1000, 7, None, ["a"], "a\u202eb")):
        user = (await enter(auth, issuer.token(sub=f"odd-{number}", preferred_username=name))).user
        assert user.username
        assert user.username.isprintable()


FORGED: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "somebody else"},
    "no audience": {"aud": None},
    "no subject": {"sub": None},
    "empty subject": {"sub": ""},
    "subject that is too long": {"sub": "x" * 256},
    "subject that is no text": {"sub": 7},
    "no expiry": {"exp": None},
    "no time": {"iat": None},
    "not yet": {"nbf": 32503680000},
    "of tomorrow": {"iat": 32503680000},
    "a logout token": {"headers": {"typ": "logout+jwt"}},
    "of another type": {"headers": {"typ": "secevent+jwt"}},
    "critical extension": {"headers": {"crit": ["x"], "x": 1}},
    "unknown key": {"headers": {"kid": "unknown"}},
    "key that is no name": {"headers": {"kid": ""}},
}


@pytest.mark.parametrize("what", FORGED)
async def test_a_token_that_is_not_for_us_is_refused(with_issuer: MakeAuth, issuer: LocalIssuer, what: str) -> None:
    """AUTH-8: signed by the issuer, and still not good."""
    auth = await with_issuer()
    token = issuer.token(**FORGED[what])
    with pytest.raises(InvalidTokenError) as refused:
        await enter(auth, token)
    assert token not in str(refused.value)
    assert (await enter(auth, issuer.token())).user.username == "ada"


async def test_an_expired_token_is_refused(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8"""
    auth = await with_issuer()
    token = issuer.token()
    await enter(auth, token)
    with time_machine.travel(time.time() + 310, tick=False), pytest.raises(TokenExpiredError):
        await enter(auth, token)


async def test_a_forged_signature_is_refused(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: another key under the same id, no signature at all, and the public key taken for a secret."""
    auth = await with_issuer()
    payload = jwt.decode(issuer.token(), options={"verify_signature": False})
    headers = {"kid": issuer.key_id}
    public = issuer._keys[issuer.key_id].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    forged = [
        jwt.encode(payload, generate_private_key(65537, 2048), "RS256", headers=headers),
        jwt.encode(payload, None, "none", headers=headers),
    ]
    for secret in (pem, b"k" * 32):
        parts = [json.dumps({"alg": "HS256", "typ": "JWT"} | headers), json.dumps(payload)]
        content = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
        signature = base64.urlsafe_b64encode(hmac.digest(secret, content.encode(), "sha256")).rstrip(b"=").decode()
        forged.append(f"{content}.{signature}")
    for token in forged:
        with pytest.raises(InvalidTokenError):
            await enter(auth, token)


async def test_symmetric_and_foreign_keys_in_the_set_are_passed_over(
    with_issuer: MakeAuth, issuer: LocalIssuer
) -> None:
    """AUTH-8: a set may hold keys that are for other things, or that nobody understands."""
    secret = base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")
    issuer.extra_keys = [
        {"kty": "oct", "k": secret, "kid": "secret", "alg": "HS256"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "future", "kid": "future"},
        {"kty": "RSA", "use": "enc", "kid": issuer.key_id, "n": "AQAB", "e": "AQAB"},
        "not a key",
        None,
    ]
    auth = await with_issuer()
    assert (await enter(auth, issuer.token())).user.username == "ada"
    payload = jwt.decode(issuer.token(), options={"verify_signature": False})
    with pytest.raises(InvalidTokenError):
        await enter(auth, jwt.encode(payload, b"k" * 32, "HS256", headers={"kid": "secret"}))


async def test_an_issuer_that_changes_its_keys_is_followed(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: without a restart, at the first token of the new key; a key taken back is refused after that."""
    auth = await with_issuer()
    old = issuer.token()
    await enter(auth, old)
    issuer.change_keys(keep=True)
    await enter(auth, issuer.token())
    await enter(auth, old)
    issuer.change_keys()
    await enter(auth, issuer.token())
    with pytest.raises(InvalidTokenError):
        await enter(auth, old)


async def test_keys_are_fetched_once_and_again_after_a_while(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: not for each token, and by one of many who ask at once."""
    auth = await with_issuer(keys_ttl=3600)
    await asyncio.gather(*(enter(auth, issuer.token()) for _ in range(20)))
    assert issuer.requests.count("/keys") == 1
    auth.oidc._issuer._fetched_at = time.monotonic() - 3601
    await enter(auth, issuer.token())
    assert issuer.requests.count("/keys") == 2


async def test_unknown_keys_do_not_make_it_fetch_again_and_again(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: anybody can send such tokens, any number of them."""
    auth = await with_issuer(keys_interval=600)
    await enter(auth, issuer.token())
    for number in range(50):
        with pytest.raises(InvalidTokenError):
            await enter(auth, issuer.token(headers={"kid": f"unknown-{number}"}))
    assert issuer.requests.count("/keys") == 1


async def test_an_issuer_that_is_down(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: a 503 while its keys are not known; those known stay good for a day; our own users go on."""
    auth = await with_issuer(keys_ttl=0)
    issuer.failing = True
    with pytest.raises(IssuerUnavailableError):
        await enter(auth, issuer.token())
    await auth.create_superuser("root", "root's password")
    await enter(auth, (await auth.login("root", "root's password")).access_token)
    issuer.failing = False
    await enter(auth, issuer.token())
    issuer.failing = True
    await enter(auth, issuer.token())
    auth.oidc._issuer._fetched_at = time.monotonic() - 24 * 3600 - 1
    with pytest.raises(IssuerUnavailableError):
        await enter(auth, issuer.token())


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://somebody-else.example"},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
        {"jwks_uri": 7},
        {"jwks_uri": "no address"},
        {"jwks_uri": "file:///etc/passwd"},
    ],
    ids=str,
)
async def test_a_configuration_that_cannot_be_used(
    with_issuer: MakeAuth, issuer: LocalIssuer, metadata: dict[str, Any]
) -> None:
    """AUTH-8: another issuer's, or without keys to be had."""
    issuer.metadata = metadata
    auth = await with_issuer()
    with pytest.raises(IssuerUnavailableError):
        await enter(auth, issuer.token())


async def test_a_key_set_without_end_is_not_read(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8, ALL-6"""
    issuer.extra_keys = ["x" * 2_000_000]
    auth = await with_issuer()
    with pytest.raises(IssuerUnavailableError, match="more than"):
        await enter(auth, issuer.token())


async def test_who_is_let_in(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: by verified domain and by claims; whoever is not does not become a user."""
    auth = await with_issuer(allowed_domains=["Example.org"], required_claims={"groups": "staff"})
    good = {"email": "ada@example.ORG", "email_verified": True, "groups": ["guests", "staff"]}
    for wrong in (
        {"email": None},
        {"email": "ada@example.org.evil"},
        {"email": "ada"},
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"groups": None},
        {"groups": ["staffers"]},
        {"groups": "not staffers"},
    ):
        with pytest.raises(IdentityNotAllowedError):
            await enter(auth, issuer.token(**(good | wrong)))
    assert (await enter(auth, issuer.token(**good))).user.username == "ada"
    with pytest.raises(IdentityNotAllowedError):
        await enter(auth, issuer.token(**(good | {"groups": []})))


def test_claims_inside_objects() -> None:
    """AUTH-8: as some issuers nest their roles."""
    nested = OidcSettings(
        required_claims={"realm_access.roles": "bedplate"}, superuser_claims={"https://x.y/admin": "true"}
    )
    check_claims(nested, {"realm_access": {"roles": ["bedplate"]}})
    for claims in ({}, {"realm_access": "bedplate"}, {"realm_access": {"roles": {}}}, {"realm_access": None}):
        with pytest.raises(IdentityNotAllowedError):
            check_claims(nested, claims)
    assert grants_superuser(nested, {"https://x.y/admin": True})
    assert not grants_superuser(nested, {"https://x.y/admin": False})
    assert grants_superuser(OidcSettings(), {}) is None


async def test_new_users_may_have_to_wait_or_be_refused(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: by setting; those who are known already are not concerned."""
    auth = await with_issuer(new_users="waiting")
    root = Principal(user=await auth.create_superuser("root", "root's password"), method=Method.ACCESS_TOKEN)
    with pytest.raises(InactiveUserError):
        await enter(auth, issuer.token())
    user = await auth.users.named("ada")
    await auth.users.update(root, user.id, UserChanges(is_active=True))
    assert (await enter(auth, issuer.token())).user.id == user.id
    closed = await with_issuer(replica=True, new_users="refused")
    assert (await enter(closed, issuer.token())).user.id == user.id
    with pytest.raises(IdentityNotAllowedError):
        await enter(closed, issuer.token(sub="person-2"))


async def test_deactivation_here_is_effective_at_once(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8, AUTH-3: whatever the issuer says; and with the user goes who it was."""
    auth = await with_issuer()
    root = Principal(user=await auth.create_superuser("root", "root's password"), method=Method.ACCESS_TOKEN)
    token = issuer.token()
    before = await enter(auth, token)
    user = before.user
    assert await auth.alive([before]) == {before.identity_id}
    await auth.users.update(root, user.id, UserChanges(is_active=False))
    with pytest.raises(InactiveUserError):
        await enter(auth, token)
    assert await auth.alive([before]) == frozenset()
    await auth.users.delete(root, user.id)
    assert (await enter(auth, token)).user.id != user.id


async def test_claims_give_and_take_rights(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: at the next token, audited; the last superuser keeps its rights."""
    auth = await with_issuer(superuser_claims={"roles": "admin"})
    assert not (await enter(auth, issuer.token(roles=["user"]))).user.is_superuser
    ada = await enter(auth, issuer.token(roles=["user", "admin"]))
    assert ada.is_superuser
    assert (await enter(auth, issuer.token(roles=[]))).user.is_superuser
    await auth.create_superuser("root", "root's password")
    assert not (await enter(auth, issuer.token())).user.is_superuser
    ada = await enter(auth, issuer.token(roles=["admin"]))
    kinds = [event.kind for event in (await auth.audit.list(ada, user_id=ada.user.id)).events]
    assert kinds == ["superuser_granted", "superuser_revoked", "superuser_granted", "user_created"]


async def test_without_an_issuer_nobody_is_asked(auth: AuthService, issuer: LocalIssuer) -> None:
    """AUTH-8: a token of whatever issuer is no token of ours."""
    with pytest.raises(InvalidTokenError):
        await enter(auth, issuer.token())
    assert issuer.requests == []
    with pytest.raises(OidcDisabledError):
        await auth.oidc.begin_login(CALLBACK)


@pytest.mark.parametrize(
    "oidc",
    [
        {"issuer": "http://issuer.example", "audience": "x"},
        {"issuer": "https://issuer.example"},
        {"issuer": "https://issuer.example", "audience": "x", "after_login": "https://evil.example"},
        {"issuer": "https://issuer.example", "audience": "x", "after_login": "//evil.example"},
        {"issuer": "https://issuer.example", "audience": "x", "algorithms": ["HS256"]},
        {"issuer": "https://issuer.example", "audience": "x", "algorithms": ["none"]},
    ],
    ids=str,
)
def test_settings_that_are_unsafe_are_refused(oidc: dict[str, Any]) -> None:
    """AUTH-8"""
    with pytest.raises(SettingsError):
        SettingsService(auth={"oidc": oidc})


def test_the_secret_is_shown_nowhere() -> None:
    """AUTH-8"""
    settings = OidcSettings(client_secret=SecretStr("shh"))
    assert "shh" not in repr(settings)


async def began(auth: AuthService) -> tuple[str, dict[str, str]]:
    """The cookie of a login that was begun, and the query of the page that the browser is sent to."""
    started = await auth.oidc.begin_login(CALLBACK)
    query = {name: values[0] for name, values in parse_qs(urlsplit(started.url).query).items()}
    assert started.cookie not in repr(started)
    return started.cookie, query


async def came_back(url: str) -> dict[str, str]:
    """What the issuer sends the browser back with."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(url)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def test_a_login_needs_code_state_and_cookie_of_one_browser(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: authorization code with PKCE, state and nonce (RFC 9700); each code is good once."""
    auth = await with_issuer()
    started = await auth.oidc.begin_login(CALLBACK)
    other, _ = await began(auth)
    back = await came_back(started.url)
    for code, state, cookie in (
        (back["code"], back["state"], other),
        (back["code"], back["state"], ""),
        (back["code"], back["state"], started.cookie[:-2]),
        (back["code"], back["state"], "x.y"),
        (back["code"], "another", started.cookie),
        (back["code"], "", started.cookie),
        ("another", back["state"], started.cookie),
    ):
        with pytest.raises(InvalidTokenError):
            await auth.oidc.finish_login(code, state, cookie, client=Client())
    tokens, cookie = await auth.oidc.finish_login(back["code"], back["state"], started.cookie, client=Client())
    assert (await enter(auth, tokens.access_token)).user.username == "ada"
    assert (await auth.verify(Credentials(cookie=cookie.value.get_secret_value()))).user.username == "ada"
    with pytest.raises(InvalidTokenError):
        await auth.oidc.finish_login(back["code"], back["state"], started.cookie, client=Client())


async def test_the_request_to_the_issuer(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8: everything that makes a code worthless to whoever steals it."""
    auth = await with_issuer(scopes=["openid", "email"])
    _, query = await began(auth)
    _, again = await began(auth)
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert (query["client_id"], query["redirect_uri"], query["scope"]) == ("bedplate", CALLBACK, "openid email")
    for name in ("state", "nonce", "code_challenge"):
        assert len(query[name]) >= 32
        assert query[name] != again[name]


async def test_a_login_that_takes_too_long_is_over(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8"""
    auth = await with_issuer()
    started = await auth.oidc.begin_login(CALLBACK)
    back = await came_back(started.url)
    with time_machine.travel(time.time() + 601, tick=False), pytest.raises(InvalidTokenError):
        await auth.oidc.finish_login(back["code"], back["state"], started.cookie, client=Client())


async def test_an_id_token_of_another_login_is_refused(
    with_issuer: MakeAuth, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AUTH-8: nonce, audience and authorized party."""
    auth = await with_issuer()
    for wrong in ({"nonce": "another"}, {"nonce": None}, {"aud": "another"}, {"azp": "another"}):
        started = await auth.oidc.begin_login(CALLBACK)
        back = await came_back(started.url)
        token = issuer.token
        monkeypatch.setattr(issuer, "token", lambda _wrong=wrong, _token=token, **claims: _token(**(claims | _wrong)))
        with pytest.raises(InvalidTokenError):
            await auth.oidc.finish_login(back["code"], back["state"], started.cookie, client=Client())
        monkeypatch.undo()


async def test_a_failed_login_is_audited(with_issuer: MakeAuth, issuer: LocalIssuer) -> None:
    """AUTH-8"""
    auth = await with_issuer(required_claims={"groups": "staff"})
    root = Principal(user=await auth.create_superuser("root", "root's password"), method=Method.ACCESS_TOKEN)
    started = await auth.oidc.begin_login(CALLBACK)
    back = await came_back(started.url)
    with pytest.raises(IdentityNotAllowedError):
        await auth.oidc.finish_login(back["code"], back["state"], started.cookie, client=Client(address="192.0.2.7"))
    [event] = (await auth.audit.list(root, kinds=[AuditKind.LOGIN_FAILED])).events
    assert event.details == {"reason": "identity_not_allowed", "by": "issuer"}
    assert event.address == "192.0.2.7"


async def test_a_public_client_has_no_secret(make_auth: MakeAuth) -> None:
    """AUTH-8: and is protected by PKCE alone."""
    with LocalIssuer(client_secret=None) as issuer:
        auth = await make_auth(oidc={"issuer": issuer.issuer, "client_id": issuer.client_id})
        started = await auth.oidc.begin_login(CALLBACK)
        back = await came_back(started.url)
        tokens, _ = await auth.oidc.finish_login(back["code"], back["state"], started.cookie, client=Client())
        assert tokens.user.username == "ada"


class TestOverHttp:
    @pytest.fixture
    def container_settings(self, container_settings: dict[str, Any], issuer: LocalIssuer) -> dict[str, Any]:
        secret = issuer.client_secret
        oidc = {"issuer": issuer.issuer, "client_id": issuer.client_id, "client_secret": secret, "after_login": "/app"}
        return container_settings | {"auth": {"oidc": oidc, "cookie_secure": False}}

    async def test_a_browser_logs_in(self, client: httpx.AsyncClient, issuer: LocalIssuer) -> None:
        """AUTH-8: from our page to the issuer's and back, with the cookies of any login at the end."""
        to_issuer = await client.get("/api/v1/auth/oidc/login")
        assert to_issuer.status_code == 303
        cookie = to_issuer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/api/v1/auth/oidc" in cookie
        back = await came_back(to_issuer.headers["location"])
        done = await client.get("/api/v1/auth/oidc/callback", params=back)
        assert (done.status_code, done.headers["location"]) == (303, "/app")
        assert {"access_token_lf", "refresh_token_lf", "bedplate_session"} <= set(done.cookies)
        bearer = {"Authorization": f"Bearer {done.cookies['access_token_lf']}"}
        assert (await client.get("/api/v1/users/whoami", headers=bearer)).json()["username"] == "ada"
        assert (await client.get("/api/v1/projects/", headers=bearer)).json()[0]["name"] == "Starter Project"
        again = await client.get("/api/v1/auth/oidc/callback", params=back)
        assert again.status_code == 401

    async def test_tokens_of_the_issuer_are_accepted_by_every_route(
        self, clients: Clients, issuer: LocalIssuer
    ) -> None:
        """AUTH-8: by the one verifier."""
        client = await clients.anonymous()
        client.headers["Authorization"] = f"Bearer {issuer.token()}"
        assert (await client.get("/api/v1/users/whoami")).json()["username"] == "ada"
        assert (await client.post("/api/v1/flows/", json={"name": "x"})).status_code == 201
        assert (await client.get("/api/v1/auth/sessions")).json()["sessions"] == []
        client.headers["Authorization"] = f"Bearer {issuer.token(aud='another')}"
        refused = await client.get("/api/v1/users/whoami")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")

    async def test_an_issuer_that_is_down_is_a_503(self, clients: Clients, issuer: LocalIssuer) -> None:
        """AUTH-8: in one shape, without its address."""
        issuer.failing = True
        client = await clients.anonymous()
        login = await client.get("/api/v1/auth/oidc/login")
        assert login.status_code == 503
        assert issuer.issuer not in login.text
        client.headers["Authorization"] = f"Bearer {issuer.token()}"
        assert (await client.get("/api/v1/users/whoami")).status_code == 503

    async def test_a_login_that_was_broken_off(self, client: httpx.AsyncClient) -> None:
        """AUTH-8: what the issuer says is not repeated."""
        for query in ("error=access_denied", "error=%3Cscript%3E", "", "code=x", f"code=x&state={uuid.uuid4()}"):
            answer = await client.get(f"/api/v1/auth/oidc/callback?{query}")
            assert answer.status_code == 401
            assert "script" not in answer.text
