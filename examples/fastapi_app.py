"""A FastAPI app with injected services: uvicorn examples.fastapi_app:app."""

from fastapi import FastAPI, UploadFile

from bedplate.containers import ApplicationContainer
from bedplate.services.storage import Namespace
from bedplate.wiring import Cache, Storage, inject
from bedplate.wiring.http.errors import install_error_handlers
from bedplate.wiring.http.security import CurrentUser
from bedplate.wiring.lifespan import lifespan

container = ApplicationContainer()
app = FastAPI(lifespan=lifespan(container))
install_error_handlers(app)


@app.put("/notes/{name}")
@inject
async def keep(name: str, file: UploadFile, user: CurrentUser, storage: Storage, cache: Cache) -> dict[str, object]:
    info = await storage.save(Namespace.user(user.id), name, await file.read())
    return {"sha256": info.sha256, "notes_kept": await cache.namespace("notes").increment(str(user.id))}


container.wire(modules=[__name__, "bedplate.wiring.http.security"])
