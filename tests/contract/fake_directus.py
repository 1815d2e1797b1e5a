"""A fake of the Directus-shaped store: the routes that the backend calls, over lists in memory. No Directus is near."""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

__all__ = ["FakeDirectus"]

_TAGS = ("Memory", "Models", "Tools")


class FakeDirectus:
    """Components of users, who are known by tokens."""

    def __init__(self) -> None:
        self.users: dict[str, str] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.likes: set[tuple[str, str]] = set()
        self.tags = [{"id": str(uuid.uuid4()), "name": name} for name in _TAGS]
        self.webhooks_fail = False
        self.tokens: list[str | None] = []
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self.app = Starlette(
            routes=[
                Route("/users/me", self._me),
                Route("/items/tags", self._list_tags),
                Route("/items/components", self._list, methods=["GET"]),
                Route("/items/components", self._add, methods=["POST"]),
                Route("/items/components/{id}", self._one, methods=["GET", "PATCH", "DELETE"]),
                Route("/flows/trigger/download", self._downloaded, methods=["POST"]),
                Route("/flows/trigger/like", self._like, methods=["POST"]),
            ]
        )

    def _user(self, request: Request) -> str | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or None
        self.tokens.append(token)
        return self.users.get(token or "")

    async def _me(self, request: Request) -> Response:
        user = self._user(request)
        return JSONResponse({"data": {"id": user}}) if user else _error(401)

    async def _list_tags(self, request: Request) -> Response:
        return JSONResponse({"data": self.tags})

    async def _list(self, request: Request) -> Response:
        user, query = self._user(request), request.query_params
        if user is None and "authorization" in request.headers:
            return _error(401)
        wanted = _matcher(orjson.loads(query["filter"]), user or "")
        found = [self._shown(item) for item in self.items.values() if _visible(item, user)]
        found = [item for item in found if wanted(item)]
        for key in reversed(query.get("sort", "id").split(",")):
            found.sort(key=_sort_key(key.removeprefix("-")), reverse=key.startswith("-"))
        limit, page = int(query["limit"]), int(query.get("page", 1))
        data = found[(page - 1) * limit : page * limit]
        return JSONResponse({"data": data, "meta": {"filter_count": len(found)}})

    async def _add(self, request: Request) -> Response:
        user = self._user(request)
        if user is None:
            return _error(401)
        item = {**await request.json(), "id": str(uuid.uuid4()), "user": user, "downloads": 0}
        item["date_created"] = item["date_updated"] = self._tick()
        self.items[item["id"]] = item
        return JSONResponse({"data": {"id": item["id"]}})

    async def _one(self, request: Request) -> Response:
        user = self._user(request)
        item = self.items.get(request.path_params["id"])
        if item is None or not _visible(item, user) or (request.method != "GET" and item["user"] != user):
            return _error(403)
        if request.method == "DELETE":
            del self.items[item["id"]]
            return Response(status_code=204)
        if request.method == "PATCH":
            item |= {**await request.json(), "date_updated": self._tick()}
        return JSONResponse({"data": item})

    async def _downloaded(self, request: Request) -> Response:
        if self.webhooks_fail:
            return _error(500)
        self.items[(await request.json())["component_id"]]["downloads"] += 1
        return JSONResponse(1)

    async def _like(self, request: Request) -> Response:
        user, id_ = self._user(request), (await request.json())["component_id"]
        if user is None:
            return _error(401)
        self.likes ^= {(user, id_)}
        return JSONResponse([1] if (user, id_) in self.likes else 1)

    def _shown(self, item: dict[str, Any]) -> dict[str, Any]:
        names = {tag["id"]: tag["name"] for tag in self.tags}
        tags = [{"tags_id": {"id": tag["tags_id"], "name": names[tag["tags_id"]]}} for tag in item.get("tags", ())]
        return {
            **{name: value for name, value in item.items() if name not in ("data", "user", "downloads")},
            "user_created": {"id": item["user"], "username": item["user"]},
            "tags": tags,
            "liked_by": [user for user, id_ in self.likes if id_ == item["id"]],
            "liked_by_count": sum(id_ == item["id"] for _, id_ in self.likes),
            "downloads_count": item["downloads"],
        }

    def _tick(self) -> str:
        self._now += timedelta(seconds=1)
        return self._now.isoformat()


def _visible(item: dict[str, Any], user: str | None) -> bool:
    return not item["private"] or item["user"] == user


def _sort_key(name: str) -> Callable[[dict[str, Any]], Any]:
    field = {"count(downloads)": "downloads_count", "count(liked_by)": "liked_by_count"}.get(name, name)
    return lambda item: item[field].casefold() if isinstance(item[field], str) else item[field]


def _matcher(condition: dict[str, Any], user: str) -> Callable[[Any], bool]:
    """What a filter of Directus means, as far as the backend uses it."""
    ((name, value),) = condition.items()
    if name in ("_and", "_or"):
        parts = [_matcher(part, user) for part in value]
        together = all if name == "_and" else any
        return lambda item: together(part(item) for part in parts)
    if name == "_eq":
        return lambda item: _value(item) == (user if value == "$CURRENT_USER" else value)
    if name == "_in":
        return lambda item: item in value
    if name == "_icontains":
        return lambda item: value.casefold() in (item or "").casefold()
    if name == "_some":
        return _matcher(value, user)
    inner = _matcher(value, user)
    return lambda item: _any(item, name, inner)


def _any(item: Any, name: str, inner: Callable[[Any], bool]) -> bool:
    if isinstance(item, list):
        return any(_any(part, name, inner) for part in item)
    if name == "directus_users_id":
        return inner(item)
    value: Any = item.get(name)
    return any(map(inner, value)) if isinstance(value, Sequence) and name == "liked_by" else _deep(value, inner)


def _deep(value: Any, inner: Callable[[Any], bool]) -> bool:
    return any(map(inner, value)) if isinstance(value, list) else inner(value)


def _value(item: Any) -> Any:
    return item["id"] if isinstance(item, dict) else item


def _error(status: int) -> Response:
    return JSONResponse({"errors": [{"message": "no"}]}, status_code=status)
