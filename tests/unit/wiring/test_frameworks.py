"""``inject`` under the decorators of frameworks: what it fills, they do not see."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import anyio.to_thread
import click
import click.testing
import httpx
import pytest
import typer
import typer.testing
from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket

from bedplate.containers import Provide, ServiceContainer, Singleton, inject
from bedplate.wiring.lifespan import lifespan


class Db:
    label = "db"


class FakeDb(Db):
    label = "fake"


class Store:
    label = "store"


class Container(ServiceContainer):
    database = Singleton(Db)
    store = Singleton(Store)


Database = Annotated[Db, Provide["database"]]
StoreService = Annotated[Store, Provide["store"]]

EVENTS: list[str] = []
router = APIRouter()


@router.get("/items/{item}")
@inject
async def read(item: int, request: Request, database: Database, q: str = "all") -> dict[str, object]:
    return {"item": item, "q": q, "label": database.label, "path": request.url.path}


@router.get("/sync")
@inject
def read_sync(database: Database, store: StoreService) -> list[str]:
    return [database.label, store.label]


@inject
async def transaction(database: Database, q: str = "none") -> AsyncIterator[str]:
    try:
        yield f"{database.label}:{q}"
    except RuntimeError:
        EVENTS.append("rollback")
        raise
    finally:
        EVENTS.append("close")


@inject
def sync_transaction(database: Database) -> Iterator[str]:
    yield database.label


class Page:
    @inject
    def __init__(self, database: Database, size: int = 10) -> None:
        self.text = f"{database.label} {size}"


class Check:
    @inject
    async def __call__(self, database: Database, key: str = "key") -> str:
        return f"{key} {database.label}"


@router.get("/dependencies")
async def dependencies(
    one: Annotated[str, Depends(transaction)],
    two: Annotated[str, Depends(sync_transaction)],
    page: Annotated[Page, Depends()],
    check: Annotated[str, Depends(Check())],
) -> list[str]:
    return [one, two, page.text, check]


@router.get("/fails")
async def fails(one: Annotated[str, Depends(transaction)]) -> None:
    raise RuntimeError("no")


@router.websocket("/socket")
@inject
async def socket(websocket: WebSocket, database: Database) -> None:
    await websocket.accept()
    await websocket.send_text(database.label)
    await websocket.close()


@pytest.fixture
def container() -> Iterator[Container]:
    made = Container()
    made.wire(modules=[__name__])
    yield made
    made.unwire()


def create_app(container: Any) -> FastAPI:
    app = FastAPI(lifespan=lifespan(container))
    app.include_router(router)

    @app.get("/closure")
    @inject
    async def closure(database: Database) -> str:
        return database.label

    return app


@pytest.fixture
async def client(container: Container) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(container)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


@pytest.fixture
def events() -> list[str]:
    EVENTS.clear()
    return EVENTS


async def test_container_wire_in_a_plain_fastapi_app(client: httpx.AsyncClient) -> None:
    """Design card: ``container.wire()`` in a plain FastAPI app."""
    assert (await client.get("/items/7?q=w")).json() == {"item": 7, "q": "w", "label": "db", "path": "/items/7"}
    assert (await client.get("/sync")).json() == ["db", "store"]
    assert (await client.get("/closure")).json() == "db"
    assert (await client.get("/items/x")).status_code == 422


async def test_fastapi_does_not_see_what_is_injected(client: httpx.AsyncClient) -> None:
    operation = (await client.get("/openapi.json")).json()["paths"]["/items/{item}"]["get"]
    assert [one["name"] for one in operation["parameters"]] == ["item", "q"]
    assert "requestBody" not in operation


async def test_no_request_pays_a_threadpool_hop(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented ``Depends(Provide[...])`` costs one for each injected parameter."""
    hops: list[object] = []
    real = anyio.to_thread.run_sync

    async def counted(function: Any, *args: Any, **kwargs: Any) -> Any:
        hops.append(function)
        return await real(function, *args, **kwargs)

    monkeypatch.setattr(anyio.to_thread, "run_sync", counted)
    for path in ("/items/7", "/closure"):
        assert (await client.get(path)).status_code == 200
    assert hops == []
    assert (await client.get("/sync")).status_code == 200
    assert hops  # a sync endpoint runs in a thread, with or without injection


async def test_dependencies_that_yield_commit_and_roll_back(client: httpx.AsyncClient, events: list[str]) -> None:
    answer = await client.get("/dependencies?q=1&size=3")
    assert answer.json() == ["db:1", "db", "db 3", "key db"]
    assert events == ["close"]
    events.clear()
    assert (await client.get("/fails")).status_code == 500
    assert events == ["rollback", "close"]


async def test_an_override_is_seen_by_the_next_request(client: httpx.AsyncClient, container: Container) -> None:
    with container.database.override(Singleton(FakeDb)):
        assert (await client.get("/items/7")).json()["label"] == "fake"
    assert (await client.get("/items/7")).json()["label"] == "db"


async def test_websockets(container: Container) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket", "path": "/socket", "raw_path": b"/socket", "root_path": "", "query_string": b"",
        "headers": [], "subprotocols": [], "scheme": "ws", "client": None, "server": None, "state": {},
    }  # fmt: skip
    await create_app(container)(scope, receive, send)
    assert [one["type"] for one in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert sent[1]["text"] == "db"


def test_typer_and_click(container: Container) -> None:
    app = typer.Typer()

    @app.command()
    @inject
    def greet(name: str, database: Database, count: int = 1) -> None:
        typer.echo(f"{name} {count} {database.label}")

    @click.command()
    @click.argument("name")
    @inject
    def welcome(database: Database, name: str) -> None:
        click.echo(f"{name} {database.label}")

    assert typer.testing.CliRunner().invoke(app, ["bob", "--count", "2"]).output.strip() == "bob 2 db"
    assert click.testing.CliRunner().invoke(welcome, ["bob"]).output.strip() == "bob db"
