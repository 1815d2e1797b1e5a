import pytest

from bedplate.services.auth import AuthService, Credentials, Method, TokenPair
from bedplate.services.auth.errors import InvalidCredentialsError, InvalidTokenError


async def test_a_login_gives_a_token_that_verify_accepts(auth: AuthService, alice: TokenPair) -> None:
    """AUTH-2, AUTH-7: from name and password to the verified caller."""
    principal = await auth.verify(Credentials(bearer=alice.access_token))
    assert principal.user.username == "alice"
    assert principal.method is Method.ACCESS_TOKEN
    assert principal.user.last_login_at is not None


async def test_a_wrong_password_is_refused(auth: AuthService, alice: TokenPair) -> None:
    with pytest.raises(InvalidCredentialsError):
        await auth.login("alice", "Wonderland")


async def test_logout_is_effective_at_once(auth: AuthService, alice: TokenPair) -> None:
    """AUTH-3: after a logout neither the access nor the refresh token of the session is good."""
    assert await auth.logout(alice.access_token)
    with pytest.raises(InvalidTokenError):
        await auth.verify(Credentials(bearer=alice.access_token))
    with pytest.raises(InvalidTokenError):
        await auth.refresh(alice.refresh_token)
