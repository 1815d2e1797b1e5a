"""What the demo does over HTTP."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
from examples.demo.steps import check

__all__ = ["Client", "Event"]

Event = tuple[int | None, str, dict[str, Any]]
"""Id, type and data of an event of a job; the id is None where the format has none."""


class Client:
    """A user of the REST API.

    Args:
        url: Where the server answers.
        transport: How requests get there; None: directly.
        like: Another one whose credentials it has.
    """

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None, like: "Client | None" = None) -> None:
        self.http = httpx.Client(base_url=url, timeout=60, transport=transport)
        if like is not None:
            self.http.headers["Authorization"] = like.http.headers["Authorization"]

    def call(self, method: str, path: str, *, status: int = 200, **arguments: Any) -> Any:
        """Make a request and return its JSON.

        Raises:
            DifferenceError: The status is another one.
        """
        answer = self.http.request(method, path, **arguments)
        check(answer.status_code == status, f"{method} {path}: {answer.status_code}, not {status}: {answer.text}")
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text

    def log_in(self, username: str, password: str) -> dict[str, str]:
        """Log in and send the access token from now on."""
        tokens: dict[str, str] = self.call("POST", "/api/v1/login", data={"username": username, "password": password})
        self.http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        return tokens

    def run(self, flow: str, text: str, session: str, key: str) -> str:
        """Run a flow through the API and return what it answers."""
        body = {"input_value": text, "input_type": "chat", "output_type": "chat", "session_id": session}
        headers = {"x-api-key": key}
        answer = self.call("POST", f"/api/v1/run/{flow}?stream=false", json=body, headers=headers)
        check(answer["session_id"] == session, f"the session is {answer['session_id']}")
        said: str = answer["outputs"][0]["outputs"][0]["results"]["message"]["text"]
        return said

    def build(self, flow: str, text: str, session: str, files: Sequence[str] = ()) -> str:
        """Start a build, perhaps with files attached to what is said, and return its job."""
        body = {"inputs": {"input_value": text, "session": session}, "files": [*files]}
        job: str = self.call("POST", f"/api/v1/build/{flow}/flow", json=body)["job_id"]
        return job

    def lines(self, job: str) -> Iterator[Event]:
        """The events of a job as lines of JSON."""
        with self.http.stream("GET", f"/api/v1/build/{job}/events") as answer:
            check(answer.status_code == httpx.codes.OK, f"events: {answer.status_code}")
            for line in answer.iter_lines():
                if line:
                    event = json.loads(line)
                    yield None, event["event"], event["data"]

    def events(self, job: str, after: int | None = None) -> Iterator[Event]:
        """The events of a job as server-sent events, after the one with the id ``after``."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(after)} if after is not None else {})
        with self.http.stream("GET", f"/api/v1/build/{job}/events", headers=headers) as answer:
            check(answer.status_code == httpx.codes.OK, f"events: {answer.status_code}")
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                elif fields:
                    yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                    fields = {}
