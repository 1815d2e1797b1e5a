"""Tells those who watch over the socket how a run proceeds: hints, each after its event stands in the job's log."""

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from bedplate.services.session.runner import FlowDocument
from bedplate.services.socket import Room, SocketService
from bedplate.wiring.runs.shapes import vertex_layers

__all__ = ["Announcer"]


class Announcer:
    """Tells the room of the flow of its vertices, and the rooms of sessions of messages, piece by piece.

    Args:
        socket: Tells the rooms.
        user_id: The owner of the run.
        flow_id: The flow that runs.
        session_id: The session that it runs in.
        job_id: The job that it is.
        document: Its graph.
    """

    def __init__(
        self,
        socket: SocketService,
        *,
        user_id: uuid.UUID,
        flow_id: uuid.UUID,
        session_id: str,
        job_id: uuid.UUID,
        document: FlowDocument,
    ) -> None:
        self._socket = socket
        self._user_id = user_id
        self._flow = Room.flow(user_id, flow_id)
        self._session_id = session_id
        self._ids = {"flow_id": str(flow_id), "job_id": str(job_id)}
        self._document = document
        self._sessions: dict[str, str] = {}

    @property
    def watched(self) -> bool:
        """Whether anybody wants to know of vertices."""
        return self._socket.wanted(self._flow)

    def order(self, to_run: Collection[str]) -> None:
        """Which vertices will run, in layers."""
        if self.watched:
            layers = vertex_layers(self._document, set(to_run))
            self._socket.publish(self._flow, "vertices_order", self._ids | {"ids": layers})

    def vertex(self, build: Mapping[str, Any]) -> None:
        """What a vertex gave."""
        fields = {name: build[name] for name in ("id", "valid", "params", "data")}
        self._socket.publish(self._flow, "vertex_build", self._ids | fields)

    def message(self, message: Mapping[str, Any], *, partial: bool) -> None:
        """A message, whole or about to come in pieces."""
        if partial:
            self._sessions[message["id"]] = message["session_id"]
        else:
            self._sessions.pop(message["id"], None)
        self._tell(message["session_id"], "message", {**message, "job_id": self._ids["job_id"]})

    def token(self, message_id: str, text: str) -> None:
        """A piece of a message."""
        session_id = self._sessions.get(message_id, self._session_id)
        self._tell(session_id, "token", self._ids | {"session_id": session_id, "id": message_id, "chunk": text})

    def failed(self, code: str, message: str, fix: str | None) -> None:
        """The run came to no result."""
        error = {"code": code, "message": message, "fix": fix, "session_id": self._session_id}
        self._tell(self._session_id, "error", self._ids | error)

    def _tell(self, session_id: str, event: str, data: Mapping[str, Any]) -> None:
        self._socket.publish(Room.session(self._user_id, session_id), event, data)
