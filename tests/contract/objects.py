"""What requests of the REST contract are about: made over HTTP when a request needs it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
from tests.contract.calls import SHARED, Caller

from bedplate.wiring.testing.clients import PASSWORD, Clients
from bedplate.wiring.testing.flows import Flow

__all__ = ["Objects"]

_FLOW = (
    Flow().node("in", "ChatInput", input_value="").node("out", "ChatOutput").edge("in", "message", "out", "input_value")
)
_NAME = re.compile(r"{(\w+)}")


class Objects:
    """One object of each kind, made once on first use.

    Args:
        clients: A client for each caller.
        user_id: The user of two of them.
    """

    def __init__(self, clients: Mapping[Caller, httpx.AsyncClient], user_id: str) -> None:
        self.clients = clients
        self._made = {"user_id": user_id, "username": "user", "password": PASSWORD}
        self._makers: Mapping[str, Callable[[], Awaitable[str]]] = {
            "api_key_id": lambda: self._id("/api/v1/api_key/", {"name": "a key"}),
            "built_flow_id": self._built_flow,
            "component_id": self._component,
            "file_id": lambda: self._id("/api/v2/files", file=("file.txt", b"a text")),
            "file_name": lambda: self._file_name("file.txt"),
            "flow_id": self._flow,
            "flow_id_or_name": lambda: self("flow_id"),
            "folder_id": lambda: self("project_id"),
            "image_name": lambda: self._file_name("image.png"),
            "job_id": self._job,
            "liked_id": self._liked,
            "message_id": self._message,
            "old_session_id": lambda: self("session_id"),
            "project_id": self._project,
            "public_flow_id": lambda: self._flow(access_type="PUBLIC"),
            "refresh_token": self._refresh_token,
            "session_id": self._session,
            "store_key": self._store_key,
            "variable_id": self._variable,
        }

    @classmethod
    async def of(cls, clients: Clients) -> "Objects":
        """The objects of a fresh application."""
        user = await clients.user("user")
        made = {
            Caller.ANYONE: await clients.anonymous(),
            Caller.USER: await clients.logged_in("user"),
            Caller.KEY: await clients.with_key("user"),
            Caller.SUPERUSER: await clients.superuser(),
        }
        return cls(made, str(user.id))

    async def __call__(self, name: str) -> str:
        """The id of an object, such as ``flow_id``."""
        if name not in self._made:
            self._made[name] = await self._makers[name]()
        return self._made[name]

    async def fill(self, value: Any) -> Any:
        """A value with the ids of objects in the place of their names in braces."""
        if isinstance(value, str):
            for name in set(_NAME.findall(value)):
                value = value.replace(f"{{{name}}}", await self(name))
            return value
        if isinstance(value, dict):
            return {name: await self.fill(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [await self.fill(inner) for inner in value]
        return value

    async def _post(self, path: str, body: Any = None, file: tuple[str, bytes] | None = None) -> Any:
        sent: dict[str, Any] = {"files": {"file": file}} if file else {"json": body}
        answer = await self.clients[Caller.USER].post(path, **sent)
        assert answer.is_success, answer.text
        return answer.json()

    async def _get(self, path: str) -> Any:
        answer = await self.clients[Caller.USER].get(path)
        assert answer.is_success, answer.text
        return answer.json()

    async def _id(self, path: str, body: Any = None, file: tuple[str, bytes] | None = None) -> str:
        return str((await self._post(path, body, file))["id"])

    async def _flow(self, **fields: Any) -> str:
        body = {"name": "a flow", "data": _FLOW.data, "folder_id": await self("project_id")} | fields
        return await self._id("/api/v1/flows/", body)

    async def _project(self) -> str:
        made = await self._id("/api/v1/projects/", {"name": "a project"})
        await self._id("/api/v1/flows/", {"name": "its flow", "folder_id": made})
        return made

    async def _variable(self) -> str:
        body = {"name": "a variable", "value": "v", "type": "Generic", "default_fields": []}
        return await self._id("/api/v1/variables/", body)

    async def _file_name(self, name: str) -> str:
        made = await self._post(f"/api/v1/files/upload/{await self('flow_id')}", file=(name, b"content"))
        return str(made["file_path"]).partition("/")[2]

    async def _job(self) -> str:
        body = {"inputs": {"input_value": "Hello", "session": "a session"}}
        job = (await self._post(f"/api/v1/build/{await self('flow_id')}/flow", body))["job_id"]
        await self.clients[Caller.USER].get(f"/api/v1/build/{job}/events")
        return str(job)

    async def _built_flow(self) -> str:
        await self("job_id")
        return await self("flow_id")

    async def _session(self) -> str:
        await self("job_id")
        return "a session"

    async def _message(self) -> str:
        await self("job_id")
        return str((await self._get("/api/v1/monitor/messages"))[0]["id"])

    async def _refresh_token(self) -> str:
        form = {"username": "user", "password": PASSWORD}
        answer = await self.clients[Caller.ANYONE].post("/api/v1/login", data=form)
        return str(answer.json()["refresh_token"])

    async def _store_key(self) -> str:
        await self._post("/api/v1/api_key/store", {"api_key": "a-key"})
        return "a-key"

    async def _component(self) -> str:
        await self("store_key")
        return await self._id("/api/v1/store/components/", SHARED)

    async def _liked(self) -> str:
        component = await self("component_id")
        await self._post(f"/api/v1/store/users/likes/{component}")
        return component
