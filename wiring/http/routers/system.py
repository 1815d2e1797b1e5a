"""Health, metrics, report, version, configuration."""

from typing import Annotated

import msgspec
import orjson
from dependency_injector.wiring import Provide
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from bedplate import __version__
from bedplate.containers import ContainerInstance
from bedplate.services.health import HealthStatus
from bedplate.wiring import Chat, Database, Settings, Telemetry, inject
from bedplate.wiring.http.security import require_operator

__all__ = ["router"]

router = APIRouter(tags=["System"])

_NO_LOGS = "Log retrieval is disabled"

Container = Annotated[ContainerInstance, Provide["<container>"]]


class HealthResponse(BaseModel):
    """Health in the shape of the contract: ``ok`` or what is wrong."""

    status: str
    chat: str
    db: str


class VersionResponse(BaseModel):
    """What is running."""

    version: str
    main_version: str
    package: str


class StatusResponse(BaseModel):
    """Up or down, and nothing more: for probes without credentials."""

    status: str


class FeatureFlags(BaseModel):
    """Features of the contract's own."""

    mvp_components: bool = False


class ConfigResponse(BaseModel):
    """What clients need to know of the configuration."""

    feature_flags: FeatureFlags
    serialization_max_items_length: int
    serialization_max_text_length: int
    frontend_timeout: int
    auto_saving: bool
    auto_saving_interval: int
    health_check_max_retries: int
    max_file_size_upload: int
    webhook_polling_interval: int
    public_flow_cleanup_interval: int
    public_flow_expiration: int
    event_delivery: str
    voice_mode_available: bool


@router.get("/livez")
async def livez() -> StatusResponse:
    """Whether the process runs; no other system is looked at."""
    return StatusResponse(status=HealthStatus.UP)


@router.get("/readyz", responses={503: {"model": StatusResponse}})
@inject
async def readyz(container: Container) -> Response:
    """Whether every required service works, and more requests are welcome."""
    if container.draining:
        return JSONResponse({"status": "draining"}, status_code=503)
    if (await container.health()).status is HealthStatus.DOWN:
        return JSONResponse({"status": HealthStatus.DOWN}, status_code=503)
    return JSONResponse({"status": HealthStatus.UP})


@router.get("/health")
async def health() -> dict[str, str]:
    """Whether the server answers."""
    return {"status": "ok"}


@router.get("/health_check", response_model=HealthResponse, responses={503: {"model": HealthResponse}})
@inject
async def health_check(database: Database, chat: Chat) -> Response:
    """Whether chat and database answer."""
    answers = {"chat": await chat.health(), "db": await database.health()}
    texts = {name: "ok" if answer.status is HealthStatus.UP else "error" for name, answer in answers.items()}
    good = all(text == "ok" for text in texts.values())
    body = HealthResponse(status="ok" if good else "nok", **texts)
    return JSONResponse(body.model_dump(), status_code=200 if good else 503)


@router.get("/metrics", dependencies=[Depends(require_operator)], response_class=Response)
@inject
async def metrics(request: Request, telemetry: Telemetry) -> Response:
    """All metrics in the Prometheus text format, or in that of OpenMetrics where ``Accept`` names it."""
    if "application/openmetrics-text" in request.headers.get("accept", ""):
        return Response(telemetry.openmetrics(), media_type=telemetry.openmetrics_type)
    return Response(telemetry.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/api/v1/services", dependencies=[Depends(require_operator)])
@inject
async def services(container: Container) -> Response:
    """The startup report with the health of every service now."""
    health = await container.health()
    report = msgspec.to_builtins(container.report)
    for record in report["services"]:
        record["health"] = msgspec.to_builtins(health.services.get(record["name"]))
    return Response(orjson.dumps({"status": health.status, **report}), media_type="application/json")


@router.get("/api/v1/version")
async def version() -> VersionResponse:
    """The version that runs."""
    return VersionResponse(version=__version__, main_version=__version__, package="Bedplate")


@router.get("/api/v1/config")
@inject
async def config(settings: Settings) -> ConfigResponse:
    """What clients need to know of the configuration."""
    return ConfigResponse(
        feature_flags=FeatureFlags(),
        serialization_max_items_length=1000,
        serialization_max_text_length=settings.values.tracing.max_value_bytes,
        frontend_timeout=0,
        auto_saving=True,
        auto_saving_interval=1000,
        health_check_max_retries=5,
        max_file_size_upload=settings.values.storage.max_file_bytes // (1024 * 1024),
        webhook_polling_interval=5000,
        public_flow_cleanup_interval=3600,
        public_flow_expiration=86400,
        event_delivery="streaming",
        voice_mode_available=False,
    )


@router.get("/logs", status_code=501)
async def logs(lines_before: int = 0, lines_after: int = 0, timestamp: int = 0) -> None:  # noqa: ARG001 - the contract's
    """Log records are not kept by the server: read them where the process writes them."""
    raise HTTPException(501, _NO_LOGS)


@router.get("/logs-stream", status_code=501)
async def stream_logs() -> None:
    """As ``/logs``."""
    raise HTTPException(501, _NO_LOGS)
