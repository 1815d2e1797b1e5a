"""Two installations, in processes of their own: the users of one share in the store of the other (STORE-3)."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bedplate.wiring.testing.store.harness import flow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

STORE = "/api/v1/store"
PASSWORD = "correct horse battery staple"

Start = Callable[..., "subprocess.Popen[str]"]


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.match(r"Address: +(\S+)", line):
            return found[1]
    raise AssertionError(f"it ended with {process.wait()}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an installation with these environment variables, on a data directory of its own."""
    with contextlib.ExitStack() as stack:

        def call(name: str, **variables: str) -> "subprocess.Popen[str]":
            kept = {key: value for key, value in os.environ.items() if not key.startswith("BEDPLATE_")}
            own = {"BEDPLATE_PROFILE": "test", "BEDPLATE_DATA_DIR": str(tmp_path / name)}
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "bedplate", "serve"],
                    env=kept | own | {"BEDPLATE_AUTH__SIGN_UP": "open"} | variables,
                    cwd=tmp_path,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.terminate)
            return process

        yield call


def _logged_in(stack: contextlib.ExitStack, url: str, name: str) -> httpx.Client:
    client = stack.enter_context(httpx.Client(base_url=url, timeout=30))
    assert client.post("/api/v1/users/", json={"username": name, "password": PASSWORD}).status_code == 201
    tokens = client.post("/api/v1/login", data={"username": name, "password": PASSWORD}).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    return client


def _body(name: str, **fields: Any) -> dict[str, Any]:
    body = {"name": name, "description": "d", "data": flow(name), "tags": ["Memory"], "is_component": False}
    return body | {"private": False} | fields


def test_users_of_one_share_in_the_store_of_the_other(start: Start) -> None:
    """STORE-3: over the REST API of both; when the other one is gone, the local catalogue works on."""
    shared = start("shared")
    shared_url = _address(shared)
    mine = start(
        "mine",
        BEDPLATE_STORE__BACKEND="remote",
        BEDPLATE_STORE__REMOTE_URL=shared_url,
        BEDPLATE_STORE__REMOTE_RETRY_DELAY="0",
    )
    with contextlib.ExitStack() as stack:
        there, here = _logged_in(stack, shared_url, "ada"), _logged_in(stack, _address(mine), "ben")
        key = there.post("/api/v1/api_key/", json={"name": "for the store", "scopes": ["store:write"]}).json()
        assert here.get(f"{STORE}/check/api_key").json() == {"has_api_key": False, "is_valid": False}
        assert here.post(f"{STORE}/components/", json=_body("x")).status_code == 400
        assert here.post("/api/v1/api_key/store", json={"api_key": "a wrong key".replace(" ", "-")}).status_code == 200
        assert here.get(f"{STORE}/check/api_key").json() == {"has_api_key": True, "is_valid": False}
        here.post("/api/v1/api_key/store", json={"api_key": key["api_key"]})
        assert here.get(f"{STORE}/check/api_key").json() == {"has_api_key": True, "is_valid": True}

        made = here.post(f"{STORE}/components/", json=_body("Shared"))
        assert (made.status_code, made.json()["namespaced_id"]) == (201, "ada/shared")
        path = f"{STORE}/components/{made.json()['id']}"
        there.post("/api/v1/api_key/store", json={"api_key": "any"})
        assert there.get(path).json()["data"] == flow("Shared")
        assert here.patch(path, json={"data": flow("Renewed")}).json()["version"] == "1.0.1"
        assert here.post(f"{path}/versions/1.0.1/yank", json={"reason": "no"}).status_code == 200
        refused = here.get(path, params={"version": "1.0.1"})
        assert (refused.status_code, refused.json()["detail"]) == (409, "the version 1.0.1 was yanked: no")
        assert here.put(f"{STORE}/users/likes/{made.json()['id']}").json()["likes_count"] == 1
        (found,) = here.get(f"{STORE}/components/", params={"search": "shared", "tags": "memory"}).json()["results"]
        assert (found["downloads_count"], found["liked_by_user"], found["version"]) == (1, True, "1.0.0")
        assert here.get(f"{STORE}/components/", params={"source": "local"}).json()["count"] == 0

        shared.send_signal(signal.SIGTERM)
        shared.wait()
        down = here.get(f"{STORE}/components/")
        assert (down.status_code, down.json()["type"]) == (503, "urn:bedplate:error:store_unavailable")
        assert int(down.headers["retry-after"]) >= 1
        local = here.post(f"{STORE}/components/", json=_body("Local"), params={"source": "local"})
        assert local.status_code == 201
        assert here.get("/readyz").json() == {"status": "up"}
