"""Uploads a file and asks a flow about it."""

from examples.demo.client import Client
from examples.demo.steps import Steps, check

__all__ = ["ask_about_a_file"]

_TEXT = b"From the notes of the test pilot: my name is Grace, and the moth is in relay 70."


def ask_about_a_file(steps: Steps, client: Client, flow: str) -> None:
    with steps.step("upload a file") as step:
        file = client.call("POST", "/api/v2/files", status=201, files={"file": ("notes.txt", _TEXT)})
        listed = client.call("GET", "/api/v2/files")
        check([one["id"] for one in listed] == [file["id"]], f"the files are {listed}")
        step.saw(f"{file['path'].rpartition('/')[2]}, {file['size']} bytes")
    with steps.step("ask about it") as step:
        job = client.build(flow, "What is my name?", "about a file", files=[file["path"]])
        said = [data["text"] for _, kind, data in client.events(job) if kind == "add_message"][-1]
        check("Grace" in said, f"the file was not read: {said!r}")
        step.saw(repr(said))
    with steps.step("download it") as step:
        answer = client.http.get(f"/api/v2/files/{file['id']}")
        check(answer.content == _TEXT, "what comes back is something else")
        step.saw(answer.headers["content-disposition"].partition(";")[0] + ", the same bytes")
