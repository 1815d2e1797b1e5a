"""Requests are counted and timed by method and status, with nothing that callers can make up."""

import httpx
import pytest
from fastapi import FastAPI

from bedplate.wiring.http.measuring import REQUESTS
from bedplate.wiring.testing.clients import Clients


def _counts(clients: Clients) -> dict[tuple[str, str], float]:
    return {
        (one.labels["method"], one.labels["status"]): one.value
        for metric in clients.container.telemetry().metrics(f"{REQUESTS}_count")
        for one in metric.samples
    }


async def test_each_request_is_counted_by_method_and_status(clients: Clients, client: httpx.AsyncClient) -> None:
    """TEL-1: whatever path or method somebody thinks of, there are no more series than methods and statuses."""
    await client.get("/health")
    await client.get("/health")
    await client.get("/made-up")
    await client.request("BREW", "/health")
    await client.post("/api/v1/login", data={})
    assert _counts(clients) == {
        ("GET", "200"): 2,
        ("GET", "404"): 1,
        ("POST", "422"): 1,
        ("other", "405"): 1,
    }


async def test_one_that_breaks_is_a_500(clients: Clients, client: httpx.AsyncClient, app_breaks: None) -> None:
    assert (await client.get("/breaks")).status_code == 500
    assert _counts(clients) == {("GET", "500"): 1}


@pytest.fixture
def app_breaks(clients: Clients) -> None:
    def breaks() -> None:
        raise RuntimeError("broken on purpose")

    app: FastAPI = clients.app
    app.add_api_route("/breaks", breaks)
