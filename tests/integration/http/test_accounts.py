"""Login, users and API keys over HTTP, as existing clients use them."""

import httpx

from bedplate.services.auth import User
from bedplate.wiring.testing.clients import PASSWORD, Clients


async def _login(client: httpx.AsyncClient, username: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/v1/login", data={"username": username, "password": password})


async def test_login_sets_tokens_and_cookies(client: httpx.AsyncClient, user: User) -> None:
    """AUTH-2, AUTH-7: a pair of tokens, and the cookies that browsers refresh with."""
    answer = await _login(client, "user")
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "refresh_token", "token_type"}
    cookies = {line.partition("=")[0]: line for line in answer.headers.get_list("set-cookie")}
    assert "HttpOnly" in cookies["refresh_token_lf"]
    assert "Secure" in cookies["refresh_token_lf"]
    assert "SameSite=none" in cookies["refresh_token_lf"]
    assert "HttpOnly" not in cookies["access_token_lf"]
    assert set(cookies) == {"refresh_token_lf", "access_token_lf"}


async def test_wrong_credentials_are_challenged(client: httpx.AsyncClient, user: User) -> None:
    """AUTH-5: unknown user and wrong password read the same."""
    wrong, unknown = await _login(client, "user", "no"), await _login(client, "nobody", "no")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.headers["www-authenticate"] == "Bearer"


async def test_refresh_is_good_for_one_use(client: httpx.AsyncClient, clients: Clients, user: User) -> None:
    """AUTH-3: refresh tokens are single-use; the loser of two tabs gets 409."""
    old = (await _login(client, "user")).json()["refresh_token"]
    first = await client.post("/api/v1/refresh", headers={"Cookie": f"refresh_token_lf={old}"})
    assert first.status_code == 200
    other = await clients.anonymous()
    second = await other.post("/api/v1/refresh", headers={"Cookie": f"refresh_token_lf={old}"})
    assert second.status_code == 409
    as_bearer = await other.get("/api/v1/users/whoami", headers={"Authorization": f"Bearer {old}"})
    assert as_bearer.status_code == 401
    assert (await other.post("/api/v1/refresh")).status_code == 401


async def test_logout_kills_the_token(as_user: httpx.AsyncClient) -> None:
    """AUTH-3: logout revokes."""
    assert (await as_user.get("/api/v1/users/whoami")).json()["username"] == "user"
    answer = await as_user.post("/api/v1/logout")
    assert answer.json() == {"message": "Logout successful"}
    assert all("Max-Age=0" in line for line in answer.headers.get_list("set-cookie"))
    assert (await as_user.get("/api/v1/users/whoami")).status_code == 401


async def test_no_bad_token_and_bad_key_are_told_apart(client: httpx.AsyncClient) -> None:
    """AUTH-7: statuses of the one verifier."""
    without = await client.get("/api/v1/users/whoami")
    assert (without.status_code, without.json()["detail"]) == (403, "An API key must be passed as query or header")
    assert "www-authenticate" not in without.headers
    token = await client.get("/api/v1/users/whoami", headers={"Authorization": "Bearer nonsense"})
    assert (token.status_code, token.headers["www-authenticate"]) == (401, "Bearer")
    key = await client.get("/api/v1/users/whoami", headers={"x-api-key": "sk-nonsense"})
    assert key.status_code == 403
    both = await client.get(
        "/api/v1/users/whoami", headers={"Authorization": "Bearer nonsense", "x-api-key": "sk-nonsense"}
    )
    assert both.status_code == 401


async def test_cookies_do_not_authenticate_routes_of_the_contract(clients: Clients, user: User) -> None:
    """AUTH-7: the contract's cookies are for /refresh only, and the session cookie is for pages."""
    cookie = await clients.container.auth().open_cookie_session("user", PASSWORD)
    tokens = await clients.container.auth().login("user", PASSWORD)
    client = await clients.anonymous()
    sent = f"{cookie.name}={cookie.value.get_secret_value()}; access_token_lf={tokens.access_token}"
    assert (await client.get("/api/v1/users/whoami", headers={"Cookie": sent})).status_code == 403


async def test_sign_up_waits_for_approval(client: httpx.AsyncClient, clients: Clients) -> None:
    """AUTH-6: anyone may sign up and waits, inactive; a superuser activates."""
    made = await client.post("/api/v1/users/", json={"username": "ada", "password": PASSWORD})
    assert (made.status_code, made.json()["is_active"]) == (201, False)
    assert "password" not in made.json()
    waiting = await _login(client, "ada")
    assert (waiting.status_code, waiting.json()["detail"]) == (400, "Waiting for approval")
    superuser = await clients.superuser()
    activated = await superuser.patch(f"/api/v1/users/{made.json()['id']}", json={"is_active": True})
    assert activated.json()["is_active"] is True
    assert (await _login(client, "ada")).status_code == 200


async def test_taken_name_is_a_400(client: httpx.AsyncClient, user: User) -> None:
    answer = await client.post("/api/v1/users/", json={"username": "User", "password": PASSWORD})
    assert (answer.status_code, answer.json()["detail"]) == (400, "This username is unavailable.")


async def test_ordinary_user_has_ordinary_rights(as_user: httpx.AsyncClient, user: User, clients: Clients) -> None:
    """AUTH-6: rights and other accounts are for superusers."""
    other = await clients.user("other")
    assert (await as_user.get("/api/v1/users/")).status_code == 403
    assert (await as_user.delete(f"/api/v1/users/{other.id}")).status_code == 403
    assert (await as_user.patch(f"/api/v1/users/{other.id}", json={"username": "x"})).status_code == 403
    assert (await as_user.patch(f"/api/v1/users/{user.id}", json={"is_superuser": True})).status_code == 403
    assert (await as_user.patch(f"/api/v1/users/{user.id}", json={"password": "new"})).status_code == 400
    before = (await as_user.get("/api/v1/users/whoami")).json()["updated_at"]
    touched = await as_user.patch(f"/api/v1/users/{user.id}", json={})
    assert touched.status_code == 200
    assert touched.json()["updated_at"] > before


async def test_password_change_ends_the_other_sessions(
    as_user: httpx.AsyncClient, user: User, clients: Clients
) -> None:
    """AUTH-3: password change revokes."""
    elsewhere = await clients.logged_in("user")
    path = f"/api/v1/users/{user.id}/reset-password"
    same = await as_user.patch(path, json={"password": PASSWORD})
    assert (same.status_code, same.json()["detail"]) == (400, "You can't use your current password")
    assert (await as_user.patch(path, json={"password": "another one"})).status_code == 200
    assert (await elsewhere.get("/api/v1/users/whoami")).status_code == 401


async def test_superuser_lists_and_deletes(clients: Clients, user: User) -> None:
    superuser = await clients.superuser()
    page = (await superuser.get("/api/v1/users/", params={"limit": 1})).json()
    assert (page["total_count"], len(page["users"])) == (2, 1)
    assert (await superuser.delete(f"/api/v1/users/{user.id}")).json() == {"detail": "User deleted"}
    assert (await superuser.get("/api/v1/users/")).json()["total_count"] == 1


async def test_api_key_is_shown_once_and_dies_with_its_deletion(as_user: httpx.AsyncClient, clients: Clients) -> None:
    """AUTH-4: shown once, masked afterwards, deleted by its owner alone."""
    made = (await as_user.post("/api/v1/api_key/", json={"name": "mine"})).json()
    listed = (await as_user.get("/api/v1/api_key/")).json()
    masked = listed["api_keys"][0]["api_key"]
    assert masked == made["api_key"][:8] + "*" * (len(made["api_key"]) - 8)
    by_key = await clients.anonymous()
    by_key.headers["x-api-key"] = made["api_key"]
    assert (await by_key.get("/api/v1/users/whoami")).json()["username"] == "user"
    assert (await by_key.get("/api/v1/users/whoami", params={"x-api-key": made["api_key"]})).status_code == 200
    thief = await clients.logged_in("thief")
    assert (await thief.delete(f"/api/v1/api_key/{made['id']}")).status_code == 400
    assert (await as_user.delete(f"/api/v1/api_key/{made['id']}")).status_code == 200
    assert (await by_key.get("/api/v1/users/whoami")).status_code == 403


async def test_cookies_of_foreign_pages_do_nothing(client: httpx.AsyncClient, user: User) -> None:
    """AUTH-7: unsafe cookie requests check Origin."""
    token = (await _login(client, "user")).json()["refresh_token"]
    cookie = {"Cookie": f"refresh_token_lf={token}"}
    for path in ("/api/v1/refresh", "/api/v1/logout"):
        assert (await client.post(path, headers=cookie | {"Origin": "https://evil.example"})).status_code == 403
    same = await client.post("/api/v1/refresh", headers=cookie | {"Origin": "http://localhost"})
    assert same.status_code == 200


async def test_automatic_login_is_off(client: httpx.AsyncClient) -> None:
    """AUTH-6: automatic login is off unless a setting asks for it."""
    assert (await client.get("/api/v1/auto_login")).status_code == 403
