"""AUTH-6: automatic login exists for development on this machine, and says so."""

import logging
from collections.abc import Awaitable, Callable

import pytest

from bedplate.services.auth import AuthService, Client, Credentials
from bedplate.services.auth.errors import AutoLoginDisabledError

MakeAuth = Callable[..., Awaitable[AuthService]]
HERE = Client(address="127.0.0.1", host="localhost:7860")


async def test_it_is_off_by_default(auth: AuthService) -> None:
    """AUTH-6: no token without credentials, whoever asks."""
    await auth.create_superuser("root", "root's password")
    with pytest.raises(AutoLoginDisabledError, match=r"Auto login is disabled\. Please enable it in the settings"):
        await auth.auto_login(HERE)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1", "localhost"),
        ("127.8.9.10", "127.0.0.1:7860"),
        ("::1", "[::1]:7860"),
        ("::ffff:127.0.0.1", "LOCALHOST:80"),
    ],
)
async def test_on_this_machine_it_logs_in_the_first_superuser(
    make_auth: MakeAuth, caplog: pytest.LogCaptureFixture, address: str, host: str
) -> None:
    """AUTH-6: with tokens like any others, and a warning."""
    with caplog.at_level(logging.WARNING, "bedplate.auth"):
        auth = await make_auth(auto_login=True)
        assert "for development only" in caplog.text
        first = await auth.create_superuser("first", "x")
        await auth.create_superuser("another", "x")
        pair = await auth.auto_login(Client(address=address, host=host))
        assert "automatic login" in caplog.text
    principal = await auth.verify(Credentials(bearer=pair.access_token))
    assert principal.user.id == first.id
    await auth.logout(pair.access_token)


@pytest.mark.parametrize(
    "client",
    [
        Client(),
        Client(host="localhost"),
        Client(address="127.0.0.1"),
        Client(address="127.0.0.1", host=""),
        Client(address="192.0.2.7", host="localhost"),
        Client(address="::ffff:192.0.2.7", host="localhost"),
        Client(address="localhost", host="localhost"),
        Client(address="testclient", host="localhost"),
        Client(address="127.0.0.1", host="evil.example"),
        Client(address="127.0.0.1", host="localhost.evil.example"),
        Client(address="127.0.0.1", host="127.0.0.1.evil.example"),
        Client(address="127.0.0.1", host="evil@localhost"),
        Client(address="127.0.0.1", host="localhost/"),
        Client(address="127.0.0.1", host="localhost#evil.example"),
        Client(address="127.0.0.1", host="localhost\tevil"),
        Client(address="127.0.0.1", host="localhost:notaport"),
        Client(address="127.0.0.1", host="localhost", proxied=True),
    ],
    ids=str,
)
async def test_from_elsewhere_it_is_refused(make_auth: MakeAuth, client: Client) -> None:
    """AUTH-6: through a proxy on this machine too, and for a page that points a name of its own here."""
    auth = await make_auth(auto_login=True)
    await auth.create_superuser("root", "root's password")
    with pytest.raises(AutoLoginDisabledError):
        await auth.auto_login(client)


async def test_it_makes_no_account(make_auth: MakeAuth) -> None:
    """AUTH-6: no default account ever."""
    auth = await make_auth(auto_login=True)
    with pytest.raises(AutoLoginDisabledError, match="needs a superuser"):
        await auth.auto_login(HERE)
    assert await auth.setup_needed()
