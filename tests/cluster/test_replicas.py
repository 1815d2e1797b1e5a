"""Replicas over one PostgreSQL database, in processes of their own."""

from pathlib import Path

import httpx
import pytest
from tests.servers.replicas import replicas, shared_environment, signed_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_what_one_replica_is_told_the_other_knows(tmp_path: Path, postgres_database: str) -> None:
    """ALL-6, AUTH-2: both migrate one empty database at once, and share users, sessions and flows."""
    with replicas(tmp_path, 2, shared_environment(database=postgres_database)) as (first, second):
        headers = signed_in(first.url, "ada")
        flow = {"name": "shared", "data": {"nodes": [], "edges": []}}
        made = httpx.post(f"{first.url}/api/v1/flows/", json=flow, headers=headers)
        assert made.status_code == 201, made.text
        read = httpx.get(f"{second.url}/api/v1/flows/{made.json()['id']}", headers=headers)
        assert (read.status_code, read.json()["name"]) == (200, "shared")

        assert httpx.post(f"{first.url}/api/v1/logout", headers=headers).status_code == 200
        assert httpx.get(f"{second.url}/api/v1/users/whoami", headers=headers).status_code == 401

        assert first.terminate() == 0
        assert httpx.get(f"{second.url}/readyz").json() == {"status": "up"}
