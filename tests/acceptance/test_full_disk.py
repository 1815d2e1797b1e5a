"""A server whose disk is full, for real: on a small file system of its own."""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bedplate.wiring.testing.flows import Flow

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
DISK = 12 * MIB
NAME, PASSWORD = "root", "correct horse battery staple"
_MOUNT = 'mount -t tmpfs -o size=$1,mode=700 tmpfs "$2" && shift 2 && exec "$@"'
_OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")


def _can_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    command = [*_OWN_MOUNTS, "sh", "-c", _MOUNT, "sh", "1m", str(folder), "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[httpx.Client, Path]]:
    """A client that is logged in to a server whose data directory is a disk of 12 MiB, and that directory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not _can_mount(disk):
        pytest.skip("no file system can be mounted here without privileges")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BEDPLATE_")} | {
        "BEDPLATE_PROFILE": "test",
        "BEDPLATE_DATA_DIR": str(disk),
        "BEDPLATE_STORAGE__RESERVED_BYTES": str(MIB),
        "BEDPLATE_AUTH__SUPERUSER": NAME,
        "BEDPLATE_AUTH__SUPERUSER_PASSWORD": PASSWORD,
    }
    serve = [sys.executable, "-m", "bedplate", "serve", "--port", "0"]
    command = [*_OWN_MOUNTS, "sh", "-c", _MOUNT, "sh", str(DISK), str(disk), *serve]
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((tmp_path / "log").open("wb"))
        process = stack.enter_context(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log))
        stack.callback(process.kill)
        client = stack.enter_context(httpx.Client(base_url=_address(process), timeout=60))
        tokens = client.post("/api/v1/login", data={"username": NAME, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        yield client, Path(f"/proc/{process.pid}/root{disk}")  # as the server sees it
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert "Traceback" not in (tmp_path / "log").read_text()


def _address(process: "subprocess.Popen[bytes]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if match := re.search(rb"Address: (\S+)", line):
            return match[1].decode()
    raise AssertionError(f"the server ended with {process.wait()}")


def _upload(client: httpx.Client, name: str, size: int) -> httpx.Response:
    return client.post("/api/v2/files", files={"file": (name, b"x" * size)})


def _kept(disk: Path) -> list[tuple[str, int]]:
    files = (path for path in (disk / "files").rglob("*") if path.is_file())
    return sorted((path.name, path.stat().st_size) for path in files)


def _refused(answer: httpx.Response) -> None:
    body = answer.json()
    assert (answer.status_code, body["status"]) == (507, 507), answer.text
    assert "no space is left" in body["detail"]
    assert "/" not in body["detail"], "a path of the server"


def _archive(flows: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(flows):
            description = os.urandom(50_000).hex()
            archive.writestr(f"{number}.json", f'{{"name": "imported {number}", "description": "{description}"}}')
    return packed.getvalue()


def test_nothing_is_half_written_and_all_is_as_before(server: tuple[httpx.Client, Path]) -> None:
    """STO-1: uploads that do not fit are refused, whatever wrote last; what is there can be read and deleted."""
    client, disk = server
    kept = _upload(client, "kept.txt", MIB).json()["id"]
    _refused(_upload(client, "too-large.txt", DISK))
    assert _kept(disk) == [("kept.txt", MIB)]
    flow = client.post("/api/v1/flows/", json={"name": "flow"}).json()["id"]
    _refused(client.post(f"/api/v1/files/upload/{flow}", files={"file": ("too-large.txt", b"x" * DISK)}))
    assert _kept(disk) == [("kept.txt", MIB)]
    assert [file["id"] for file in client.get("/api/v2/files").json()] == [kept]

    sizes, number = [MIB, 64 * 1024, 1024], 0
    while sizes:
        answer = _upload(client, f"{number}.txt", sizes[0])
        number += 1
        if answer.status_code != 201:
            _refused(answer)
            sizes.pop(0)
    before = _kept(disk)
    flows = client.get("/api/v1/flows/").json()
    _refused(client.post("/api/v1/projects/upload/", files={"file": ("project.zip", _archive(20))}))
    assert client.get("/api/v1/flows/").json() == flows
    assert len(client.get("/api/v1/projects/").json()) == 1
    assert _kept(disk) == before
    assert client.get("/livez").status_code == 200

    assert len(client.get(f"/api/v2/files/{kept}").content) == MIB
    assert client.delete("/api/v2/files").status_code == 200
    assert _kept(disk) == []
    assert _upload(client, "again.txt", 4 * MIB).status_code == 201
    made = client.post("/api/v1/projects/upload/", files={"file": ("project.zip", _archive(20))})
    assert (made.status_code, len(made.json())) == (201, 20)


def _fill(client: httpx.Client, disk: Path) -> None:
    """Use up what is left of the disk, the part that files leave alone too."""
    with (disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(b"x" * 4096)


_CHAT = (
    Flow().node("in", "ChatInput", input_value="").node("out", "ChatOutput").edge("in", "message", "out", "input_value")
)


def test_every_write_is_refused_alike_and_goes_on_when_there_is_space(server: tuple[httpx.Client, Path]) -> None:
    """DB-1, JOB-1: runs and whatever else writes to the database: never a 500, and nothing has to be restarted."""
    client, disk = server
    flow = client.post("/api/v1/flows/", json={"name": "flow", "data": _CHAT.data}).json()["id"]
    large = {"name": "x", "value": "v" * 50_000, "type": "Generic", "default_fields": []}
    _fill(client, disk)
    writes = {
        "variable": lambda number: client.post("/api/v1/variables/", json=large | {"name": f"v{number}"}),
        "flow": lambda number: client.post("/api/v1/flows/", json={"name": f"f{number}", "description": "d" * 50_000}),
        "build": lambda number: client.post(
            f"/api/v1/build/{flow}/flow", json={"inputs": {"input_value": "x" * 9_000}}
        ),
        "login": lambda number: client.post("/api/v1/login", data={"username": NAME, "password": PASSWORD}),
        "file": lambda number: client.post("/api/v2/files", files={"file": ("a.txt", b"x")}),
    }
    for number in range(5):  # the log of the database may have some space of its own, which is used up first
        for what, write in writes.items():
            answer = write(number)
            assert answer.status_code < 500 or answer.status_code in (503, 507), (what, answer.text)
    refused = {what: write(99).status_code for what, write in writes.items()}
    assert refused["variable"] == refused["flow"] == refused["file"] == 507, refused
    assert client.get("/api/v1/flows/").status_code == 200
    assert client.get("/livez").status_code == 200
    (disk / "ballast").unlink()
    for what, write in writes.items():
        assert write(100).is_success, what
    job = writes["build"](101).json()["job_id"]
    events = client.get(f"/api/v1/build/{job}/events").text
    assert '"event":"end"' in events
