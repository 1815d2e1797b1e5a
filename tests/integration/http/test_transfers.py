"""Flows and projects as files over HTTP: batches, downloads, uploads, and what an upload may not do."""

import io
import itertools
import json
import struct
import uuid
import zipfile
from typing import Any

import httpx
import pytest

from bedplate.wiring.testing.clients import Clients

DATA = {"nodes": [], "edges": []}
FLOWS, PROJECTS = "/api/v1/flows", "/api/v1/projects"


@pytest.fixture
def container_settings(container_settings: dict[str, Any]) -> dict[str, Any]:
    return container_settings | {"session": {"max_import_flows": 20, "max_import_bytes": 1024 * 1024}}


def _file(content: Any, name: str = "project.json") -> dict[str, Any]:
    return {"file": (name, content if isinstance(content, bytes) else json.dumps(content).encode())}


def _zip(entries: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return packed.getvalue()


async def _counts(client: httpx.AsyncClient) -> tuple[int, int]:
    return len((await client.get(f"{FLOWS}/")).json()), len((await client.get(f"{PROJECTS}/")).json())


async def test_a_batch_is_made_wholly_or_not_at_all(as_user: httpx.AsyncClient) -> None:
    made = await as_user.post(f"{FLOWS}/batch/", json={"flows": [{"name": "a", "data": DATA}, {"name": "b"}]})
    assert (made.status_code, [flow["name"] for flow in made.json()]) == (201, ["a", "b"])
    for names in (["c", "a"], ["c", "c"]):
        taken = await as_user.post(f"{FLOWS}/batch/", json={"flows": [{"name": name} for name in names]})
        assert taken.status_code == 409
    assert {flow["name"] for flow in (await as_user.get(f"{FLOWS}/")).json()} == {"a", "b"}


@pytest.mark.parametrize("shape", ["flow", "list", "flows", "zip"])
async def test_what_is_downloaded_can_be_uploaded(shape: str, as_user: httpx.AsyncClient, clients: Clients) -> None:
    """STO-1: by another user, under the same name; one's own gets a number, and ids that are free are kept."""
    first = (await as_user.post(f"{FLOWS}/", json={"name": "a/../b", "data": DATA, "description": "d"})).json()
    one = (await as_user.post(f"{FLOWS}/download/", json=[first["id"]])).json()
    assert (one["name"], one["description"], one["data"]) == ("a/../b", "d", DATA)
    content = {"flow": one, "list": [one], "flows": {"flows": [one]}, "zip": _zip({"a.json": json.dumps(one).encode()})}
    other = await clients.logged_in("other")
    made = await other.post(f"{FLOWS}/upload/", files=_file(content[shape]))
    assert made.status_code == 201, made.text
    assert [flow["name"] for flow in made.json()] == ["a/../b"]
    assert made.json()[0]["id"] != first["id"]
    again = await as_user.post(f"{FLOWS}/upload/", files=_file(content[shape]))
    assert again.json()[0]["name"] == "a/../b (1)"
    await as_user.delete(f"{FLOWS}/{first['id']}")
    back = await as_user.post(f"{FLOWS}/upload/", files=_file(content[shape]))
    assert (back.json()[0]["name"], back.json()[0]["id"]) == ("a/../b", first["id"])


async def test_several_flows_are_an_archive_whose_names_lead_nowhere(as_user: httpx.AsyncClient) -> None:
    """STO-2: whatever the flows are called; only one's own."""
    names = ["../../etc/passwd", "..\\x", "CON", "a", ".part-1", "a:b", "é" * 200]
    ids = [(await as_user.post(f"{FLOWS}/", json={"name": name})).json()["id"] for name in names]
    got = await as_user.post(f"{FLOWS}/download/", json=[*ids, str(uuid.uuid4())])
    assert got.headers["content-type"] == "application/x-zip-compressed"
    with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
        entries = archive.namelist()
        assert {json.loads(archive.read(entry))["name"] for entry in entries} == set(names)
    assert len(set(entries)) == len(names)
    assert all("/" not in entry and "\\" not in entry and len(entry.encode()) <= 255 for entry in entries)
    back = await as_user.post(f"{FLOWS}/upload/", files=_file(got.content, "flows.zip"))
    assert back.status_code == 201


async def test_downloads_hold_no_secrets(as_user: httpx.AsyncClient) -> None:
    """TRACE-4: what a node keeps in a secret field stays; the name of a variable goes along."""
    template = {
        "api_key": {"value": "sk-very-secret", "password": True},
        "openai_api_key": {"value": "sk-very-secret"},
        "by_name": {"value": "MY_VARIABLE", "password": True, "load_from_db": True},
        "text": {"value": "shown"},
    }
    data = {"nodes": [{"id": "n", "data": {"node": {"template": template}}}], "edges": []}
    flow = (await as_user.post(f"{FLOWS}/", json={"name": "a", "data": data})).json()
    got = await as_user.post(f"{FLOWS}/download/", json=[flow["id"]])
    kept = got.json()["data"]["nodes"][0]["data"]["node"]["template"]
    assert {name: field["value"] for name, field in kept.items()} == {
        "api_key": "",
        "openai_api_key": "",
        "by_name": "MY_VARIABLE",
        "text": "shown",
    }
    assert (await as_user.get(f"{FLOWS}/{flow['id']}")).json()["data"] == data


async def test_a_project_goes_and_comes(as_user: httpx.AsyncClient, clients: Clients) -> None:
    """STO-1: as an archive, and as the document that the older clients send."""
    project = (await as_user.post(f"{PROJECTS}/", json={"name": "büro"})).json()["id"]
    for name in ("a", "b"):
        await as_user.post(f"{FLOWS}/", json={"name": name, "data": DATA, "folder_id": project})
    got = await as_user.get(f"{PROJECTS}/download/{project}")
    assert got.headers["content-disposition"].endswith("filename*=UTF-8''b%C3%BCro.zip")
    other = await clients.logged_in("other")
    made = await other.post(f"{PROJECTS}/upload/", files=_file(got.content, "büro.zip"))
    assert (made.status_code, {flow["name"] for flow in made.json()}) == (201, {"a", "b"})
    document = {"folder_name": "büro", "folder_description": "d", "flows": [{"name": "c", "data": DATA}]}
    again = await other.post(f"{PROJECTS}/upload/", files=_file(document))
    assert again.status_code == 201
    names = {item["id"]: item["name"] for item in (await other.get(f"{PROJECTS}/")).json()}
    assert [names[made.json()[0]["folder_id"]], names[again.json()[0]["folder_id"]]] == ["büro", "büro (1)"]


async def test_what_is_not_there_is_a_404(as_user: httpx.AsyncClient, clients: Clients) -> None:
    """ALL-4: unknown, empty, or somebody else's."""
    other = await clients.logged_in("other")
    theirs = (await other.post(f"{PROJECTS}/", json={"name": "p"})).json()["id"]
    flow = (await other.post(f"{FLOWS}/", json={"name": "a", "folder_id": theirs})).json()["id"]
    empty = (await as_user.post(f"{PROJECTS}/", json={"name": "empty"})).json()["id"]
    for project in (theirs, str(uuid.uuid4()), empty):
        assert (await as_user.get(f"{PROJECTS}/download/{project}")).status_code == 404
    for ids in ([flow], [str(uuid.uuid4())], []):
        assert (await as_user.post(f"{FLOWS}/download/", json=ids)).status_code == 404
    into = await as_user.post(f"{FLOWS}/upload/", params={"folder_id": theirs}, files=_file({"name": "x"}))
    assert into.status_code == 404
    # A project that the document itself names is not looked at.
    made = await as_user.post(f"{FLOWS}/upload/", files=_file({"name": "x", "folder_id": theirs}))
    assert made.json()[0]["folder_id"] != theirs


_FLOW = json.dumps({"name": "x", "data": DATA}).encode()
_SPACES = b" " * 8 * 1024 * 1024


def _lying(content: bytes, *, size: int) -> bytes:
    """An archive that says of its only entry that it unpacks to another size."""
    packed = bytearray(_zip({"a.json": content}))
    start = packed.index(b"PK\x01\x02")
    for place in (22, start + 24):  # in front of the entry, and in the directory
        packed[place : place + 4] = struct.pack("<I", size)
    return bytes(packed)


def _encrypted() -> bytes:
    packed = bytearray(_zip({"a.json": _FLOW}))
    start = packed.index(b"PK\x01\x02")
    for place in (6, start + 8):
        packed[place] |= 1
    return bytes(packed)


def _method(number: int) -> bytes:
    """An archive whose entry says that it is packed in some other way."""
    packed = bytearray(_zip({"a.json": _FLOW}))
    start = packed.index(b"PK\x01\x02")
    for place in (8, start + 10):
        packed[place : place + 2] = struct.pack("<H", number)
    return bytes(packed)


def _overlapping(times: int) -> bytes:
    """An archive whose directory lists one and the same large entry again and again."""
    packed = _zip({"a.json": _SPACES[: 512 * 1024]})
    start, end = packed.index(b"PK\x01\x02"), packed.index(b"PK\x05\x06")
    entry = packed[start:end]
    directory = b"".join(entry.replace(b"a.json", f"{number}.json".encode()) for number in range(times))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, times, times, len(directory), start, 0)
    return packed[:start] + directory + tail


def _link() -> bytes:
    """An archive with a symbolic link to a file of the server."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("a.json")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"nonsense", 400),
        (b"[" * 100_000, 400),
        (b"PK\x03\x04 not an archive", 400),
        (_zip({"a.json": _FLOW})[:-30], 400),
        (_zip({"a.json": b"nonsense"}), 400),
        (_zip({"../a.json": _FLOW}), 400),
        (_zip({"/etc/a.json": _FLOW}), 400),
        (_zip({"a/../../a.json": _FLOW}), 400),
        (_zip({"a\\..\\b.json": _FLOW}), 400),
        (_zip({"bomb.json": b" " * 50 * 1024 * 1024}), 413),
        (_zip({f"{number}.json": b" " * 100_000 + _FLOW for number in range(15)}), 413),
        (_zip({f"{number}.json": _FLOW for number in range(21)}), 413),
        (_zip({f"{number}/": b"" for number in range(50)} | {"a.json": _FLOW}), 413),
        (_zip({"bomb.zip": _zip({"bomb.json": _SPACES})}), 400),
        (_zip({"inner.zip": _zip({"a.json": _FLOW})}), 400),
        (_lying(_SPACES, size=10), 400),
        (_lying(_SPACES, size=2**32 - 2), 413),
        (_lying(_FLOW, size=10), 400),
        (_overlapping(9), 400),
        (_encrypted(), 400),
        (_method(99), 400),
        (_link(), 400),
        (_zip({"C:\\a.json": _FLOW}), 400),
        (_zip({"a\n.json": _FLOW}), 400),
        (_zip({"CON.json": _FLOW}), 400),
        (_zip({f"{'a' * 300}.json": _FLOW}), 400),
        (json.dumps([{"name": "x"}] * 21).encode(), 413),
        (b"5", 422),
        (b'{"name": 5}', 422),
        (b'{"flows": [{"name": "good"}, {}]}', 422),
        (b'{"name": "x", "data": {"nodes": 5}}', 400),
        (b'[{"name": "good"}, {"name": ""}]', 400),
        (b'{"folder_name": 5, "flows": [{"name": "x"}]}', 400),
    ],
    ids=itertools.count(),  # the contents are too long for names
)
async def test_bad_uploads_change_nothing(content: bytes, status: int, as_user: httpx.AsyncClient) -> None:
    """STO-2: what is no flow, damaged archives, names that leave their folder, zip bombs; typed, and all or nothing.

    Bombs of every kind: large entries, many of them, archives in archives, sizes that are not true, entries that share
    their bytes.
    """
    before = await _counts(as_user)
    for path in (f"{FLOWS}/upload/", f"{PROJECTS}/upload/"):
        answer = await as_user.post(path, files=_file(content))
        assert answer.status_code == status, (path, answer.text)
    assert await _counts(as_user) == before


async def test_documents_may_lie_in_folders(as_user: httpx.AsyncClient) -> None:
    packed = _zip({"flows/": b"", "flows/a.json": _FLOW, "b.json": _FLOW})
    made = await as_user.post(f"{FLOWS}/upload/", files=_file(packed, "flows.zip"))
    assert (made.status_code, [flow["name"] for flow in made.json()]) == (201, ["x", "x (1)"])


async def test_the_older_name_sends_everybody_to_projects(as_user: httpx.AsyncClient) -> None:
    some = uuid.uuid4()
    got = await as_user.get(f"/api/v1/folders/download/{some}")
    assert (got.status_code, got.headers["location"]) == (307, f"/api/v1/projects/download/{some}")
    sent = await as_user.post("/api/v1/folders/upload/")
    assert (sent.status_code, sent.headers["location"]) == (307, "/api/v1/projects/upload/")
