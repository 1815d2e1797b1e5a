"""AUTH-7: one verifier for every kind of credentials."""

import pytest

from bedplate.services.auth import AuthService, Credentials, Method, NewApiKey, TokenPair
from bedplate.services.auth.errors import AuthError, InvalidApiKeyError, InvalidTokenError, MissingCredentialsError
from bedplate.services.engines.workers import Workers


@pytest.fixture
async def key(auth: AuthService, alice: TokenPair) -> str:
    new: NewApiKey = await auth.api_keys.create(alice.user.id)
    return new.secret.get_secret_value()


@pytest.fixture
async def cookie(auth: AuthService, alice: TokenPair) -> str:
    return (await auth.open_cookie_session("alice", "wonderland")).value.get_secret_value()


async def test_the_bearer_token_goes_before_the_key_and_the_key_before_the_cookie(
    auth: AuthService, alice: TokenPair, key: str, cookie: str
) -> None:
    """AUTH-7"""

    async def method(**credentials: str) -> Method:
        return (await auth.verify(Credentials(**credentials))).method

    assert await method(bearer=alice.access_token, api_key=key, cookie=cookie) is Method.ACCESS_TOKEN
    assert await method(api_key=key, cookie=cookie) is Method.API_KEY
    assert await method(cookie=cookie) is Method.COOKIE


async def test_the_first_credentials_decide(auth: AuthService, alice: TokenPair, key: str, cookie: str) -> None:
    """AUTH-7: a bad token is not made good by a good key, nor a bad key by a good cookie."""
    with pytest.raises(InvalidTokenError):
        await auth.verify(Credentials(bearer="bad", api_key=key, cookie=cookie))
    with pytest.raises(InvalidApiKeyError):
        await auth.verify(Credentials(api_key="bad", cookie=cookie))


async def test_no_credentials_are_told_from_bad_ones(auth: AuthService) -> None:
    """AUTH-7: without credentials and with a bad key there is no challenge, with a bad token there is."""
    expected: list[tuple[Credentials, type[AuthError], bool]] = [
        (Credentials(), MissingCredentialsError, False),
        (Credentials(bearer="", api_key="", cookie=""), MissingCredentialsError, False),
        (Credentials(api_key="bad"), InvalidApiKeyError, False),
        (Credentials(bearer="bad"), InvalidTokenError, True),
        (Credentials(cookie="bad"), InvalidTokenError, True),
    ]
    for credentials, kind, challenge in expected:
        with pytest.raises(kind) as refused:
            await auth.verify(credentials)
        assert refused.value.challenge is challenge
    with pytest.raises(MissingCredentialsError, match="An API key must be passed as query or header"):
        await auth.verify(Credentials())


async def test_credentials_of_one_kind_are_not_taken_for_another(
    auth: AuthService, alice: TokenPair, key: str, cookie: str
) -> None:
    values = {"access": alice.access_token, "refresh": alice.refresh_token, "key": key, "cookie": cookie}
    right = {"bearer": "access", "api_key": "key", "cookie": "cookie"}
    for slot, good in right.items():
        for name, value in values.items():
            if name != good:
                with pytest.raises(AuthError):
                    await auth.verify(Credentials(**{slot: value}))


async def test_a_verification_hashes_no_password(auth: AuthService, alice: TokenPair, workers: Workers) -> None:
    """A request costs a signature and a query, no thread of the pool."""
    pool = workers.pool("hashing", 2)
    await pool.close()
    assert (await auth.verify(Credentials(bearer=alice.access_token))).user == alice.user


def test_credentials_do_not_print_themselves() -> None:
    """AUTH-7: in no log, error or debugger."""
    credentials = Credentials(bearer="secret token", cookie="secret cookie")
    for text in (repr(credentials), str(credentials), str(list(credentials.__rich_repr__()))):
        assert "secret" not in text
    assert repr(credentials) == "Credentials(bearer=***, api_key=None, cookie=***)"


async def test_tokens_and_cookies_do_not_print_themselves(auth: AuthService, alice: TokenPair) -> None:
    cookie = await auth.open_cookie_session("alice", "wonderland")
    for text in (repr(alice), str(list(alice.__rich_repr__())), repr(cookie), str(list(cookie.__rich_repr__()))):
        for secret in (alice.access_token, alice.refresh_token, cookie.value.get_secret_value()):
            assert secret not in text
