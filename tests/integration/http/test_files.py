"""Files over HTTP, as existing clients use them: version 1 by flow, version 2 by user."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from bedplate.services.auth import User
from bedplate.services.storage.names import is_name
from bedplate.wiring.testing.clients import Clients
from bedplate.wiring.testing.storage.names import BAD_NAMES

SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


@pytest.fixture
def container_settings(container_settings: dict[str, Any]) -> dict[str, Any]:
    return container_settings | {"storage": {"max_file_bytes": 1024 * 1024, "chunk_bytes": 4096}}


@pytest.fixture
async def flow_id(as_user: httpx.AsyncClient) -> str:
    answer = await as_user.post("/api/v1/flows/", json={"name": "flow"})
    return str(answer.json()["id"])


def _file(content: bytes, name: str = "a.txt", kind: str = "text/plain") -> dict[str, Any]:
    return {"file": (name, content, kind)}


def _kept(clients: Clients) -> list[str]:
    """Every file under the folder of the storage, parts of uploads included."""
    root: Path = clients.container.settings().values.data_dir / "files"
    return sorted(path.name for path in root.rglob("*") if path.is_file())


async def test_a_file_of_a_flow(as_user: httpx.AsyncClient, flow_id: str) -> None:
    """STO-1: uploaded under a name with the time, listed, downloaded, deleted."""
    made = await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(b"text" * 5000))
    assert made.status_code == 201
    assert made.json()["flowId"] == flow_id
    folder, _, name = made.json()["file_path"].partition("/")
    assert folder == flow_id
    assert name.endswith("_a.txt")
    assert (await as_user.get(f"/api/v1/files/list/{flow_id}")).json() == {"files": [name]}
    got = await as_user.get(f"/api/v1/files/download/{flow_id}/{name}")
    assert got.content == b"text" * 5000
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-length"] == "20000"
    assert got.headers["content-disposition"].startswith(f'attachment; filename="{name}"')
    assert got.headers["x-content-type-options"] == "nosniff"
    gone = await as_user.delete(f"/api/v1/files/delete/{flow_id}/{name}")
    assert gone.json() == {"message": f"File {name} deleted successfully"}
    assert (await as_user.get(f"/api/v1/files/list/{flow_id}")).json() == {"files": []}
    for call in (as_user.get(f"/api/v1/files/download/{flow_id}/{name}"), as_user.delete(str(gone.url))):
        assert (await call).status_code == 404


async def test_uploads_in_one_second_keep_apart(as_user: httpx.AsyncClient, flow_id: str) -> None:
    """STO-1: twenty of one name, and none overwrites another."""
    uploads = [as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(bytes([65 + i]))) for i in range(20)]
    paths = {answer.json()["file_path"] for answer in await asyncio.gather(*uploads)}
    assert len(paths) == 20
    contents = {(await as_user.get(f"/api/v1/files/download/{path}")).content for path in paths}
    assert contents == {bytes([65 + i]) for i in range(20)}


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("a.png", "image/png", True),
        ("a.JPG", "image/jpeg", True),
        ("a.svg", "application/octet-stream", False),
    ],
)
async def test_only_raster_images_are_shown(
    name: str, kind: str, shown: bool, as_user: httpx.AsyncClient, flow_id: str
) -> None:
    """STO-1: what may hold a script is saved, never shown, whatever type the client claims."""
    made = await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(SVG, name, "image/png"))
    got = await as_user.get(f"/api/v1/files/images/{made.json()['file_path']}")
    assert (got.status_code, got.headers["content-type"], got.content) == (200, kind, SVG)
    assert got.headers["content-disposition"].startswith("inline" if shown else "attachment")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"


async def test_what_is_no_image_is_not_shown_as_one(as_user: httpx.AsyncClient, flow_id: str) -> None:
    """STO-1: neither text nor HTML."""
    made = await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(b"<p>", "a.html", "image/png"))
    got = await as_user.get(f"/api/v1/files/images/{made.json()['file_path']}")
    assert (got.status_code, got.json()["detail"]) == (400, "Content type text/html is not an image")


@pytest.mark.parametrize("name", [name for name in BAD_NAMES if name.isprintable() and name and "\ud800" not in name])
async def test_bad_names_are_refused(name: str, as_user: httpx.AsyncClient, flow_id: str, clients: Clients) -> None:
    """STO-2: in uploads of both versions, in paths, in renames; nothing is kept."""
    for path in (f"/api/v1/files/upload/{flow_id}", "/api/v2/files"):
        answer = await as_user.post(path, files=_file(b"x", name))
        # A client may send the last segment of a path alone.
        assert answer.status_code == 400 or is_name(name.replace("\\", "/").rpartition("/")[2]), answer.text
    kept = await as_user.post("/api/v2/files", files=_file(b"x", "kept.txt"))
    renamed = await as_user.put(f"/api/v2/files/{kept.json()['id']}", params={"name": name})
    assert renamed.status_code == 400
    quoted = httpx.QueryParams({"": name}).__str__()[1:].replace("+", "%20")
    for path in (f"/api/v1/files/download/{flow_id}/{quoted}", f"/api/v1/files/images/{flow_id}/{quoted}"):
        assert (await as_user.get(path)).status_code in (400, 404)
    assert all(is_name(file) for file in _kept(clients))


async def test_long_names_are_refused(as_user: httpx.AsyncClient, flow_id: str) -> None:
    """STO-2: with the time in front, too."""
    answer = await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(b"x", "a" * 250))
    assert answer.status_code == 400
    assert "255" in answer.json()["detail"] or "bytes" in answer.json()["detail"]


async def test_files_of_another_users_flow_do_not_exist(
    as_user: httpx.AsyncClient, flow_id: str, clients: Clients
) -> None:
    """ALL-4: 404 on every route, and nothing changes."""
    made = await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(b"secret"))
    path = made.json()["file_path"]
    other = await clients.logged_in("other")
    for call in (
        other.post(f"/api/v1/files/upload/{flow_id}", files=_file(b"x")),
        other.get(f"/api/v1/files/download/{path}"),
        other.get(f"/api/v1/files/images/{path}"),
        other.get(f"/api/v1/files/list/{flow_id}"),
        other.delete(f"/api/v1/files/delete/{path}"),
    ):
        answer = await call
        assert (answer.status_code, answer.json()["detail"]) == (404, "Flow not found")
    assert (await as_user.get(f"/api/v1/files/download/{path}")).content == b"secret"


@pytest.mark.parametrize("path", ["/api/v2/files", "/api/v2/files/"])
async def test_a_file_of_a_user(path: str, as_user: httpx.AsyncClient, user: User) -> None:
    """STO-1: uploaded, listed, downloaded, read, renamed, deleted."""
    made = await as_user.post(path, files=_file("Grüße".encode()))
    assert made.status_code == 201
    file = made.json()
    assert (file["name"], file["path"], file["size"], file["provider"]) == ("a", f"{user.id}/a.txt", 7, "local")
    listed = (await as_user.get(path)).json()
    assert [item["id"] for item in listed] == [file["id"]]
    assert set(listed[0]) == {"id", "user_id", "name", "path", "size", "provider", "created_at", "updated_at"}
    one = f"/api/v2/files/{file['id']}"
    assert (await as_user.get(one, params={"return_content": True})).json() == "Grüße"
    renamed = await as_user.put(one, params={"name": "ü"})
    assert (renamed.json()["name"], renamed.json()["path"]) == ("ü", file["path"])
    got = await as_user.get(one)
    assert got.content.decode() == "Grüße"
    assert got.headers["content-disposition"].endswith("filename*=UTF-8''%C3%BC.txt")
    assert (await as_user.delete(one)).json() == {"detail": "File ü deleted successfully"}
    for call in (as_user.get(one), as_user.put(one, params={"name": "b"}), as_user.delete(one)):
        assert (await call).status_code == 404
    assert (await as_user.delete(path)).json() == {"message": "All files deleted successfully"}


async def test_names_are_numbered_and_taken_ones_refused(as_user: httpx.AsyncClient) -> None:
    """STO-3: "a (1)"; a rename to a taken name is a 409."""
    made = [
        (await as_user.post("/api/v2/files", files=_file(b"x", name))).json() for name in ("a.txt", "a.txt", "a.pdf")
    ]
    assert [file["name"] for file in made] == ["a", "a (1)", "a (2)"]
    assert [file["path"].partition("/")[2] for file in made] == ["a.txt", "a (1).txt", "a (2).pdf"]
    taken = await as_user.put(f"/api/v2/files/{made[1]['id']}", params={"name": "a"})
    assert taken.status_code == 409


async def test_batches(as_user: httpx.AsyncClient, clients: Clients) -> None:
    """STO-1, STO-3: several as one archive, several deleted; only one's own."""
    made = [
        (await as_user.post("/api/v2/files", files=_file(bytes([65 + i]) * 10_000, f"{i}.txt"))).json()["id"]
        for i in range(3)
    ]
    other = await clients.logged_in("other")
    for call in (
        other.post("/api/v2/files/batch/", json=made),
        other.request("DELETE", "/api/v2/files/batch/", json=made),
    ):
        assert (await call).status_code == 404
    got = await as_user.post("/api/v2/files/batch/", json=made)
    assert got.headers["content-type"] == "application/x-zip-compressed"
    with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            f"{i}.txt": bytes([65 + i]) * 10_000 for i in range(3)
        }
    gone = await as_user.request("DELETE", "/api/v2/files/batch/", json=made[:2])
    assert gone.json() == {"message": "2 files deleted successfully"}
    assert [file["id"] for file in (await as_user.get("/api/v2/files")).json()] == made[2:]
    assert (await as_user.post("/api/v2/files/batch/", json=made[:2])).status_code == 404
    assert _kept(clients) == ["2.txt"]


async def test_content_that_is_no_text_is_a_400(as_user: httpx.AsyncClient) -> None:
    made = await as_user.post("/api/v2/files", files=_file(b"\xff\xfe", "a.bin"))
    answer = await as_user.get(f"/api/v2/files/{made.json()['id']}", params={"return_content": True})
    assert answer.status_code == 400


async def test_the_size_limit_counts_the_whole_body(as_user: httpx.AsyncClient, flow_id: str, clients: Clients) -> None:
    """STO-1: 413 with the text that clients know, for both versions, declared or not; nothing is kept."""
    for path in (f"/api/v1/files/upload/{flow_id}", "/api/v2/files", "/api/v2/files/"):
        answer = await as_user.post(path, files=_file(b"x" * (1024 * 1024 + 128_000)))
        assert answer.status_code == 413
        assert answer.json()["detail"].startswith("Content size limit exceeded. Maximum allowed is 1MB and got 1.122")
        request = as_user.build_request("POST", path, files=_file(b"x" * 1024 * 1024))
        body = request.read()

        async def unsized(body: bytes = body) -> AsyncIterator[bytes]:
            for start in range(0, len(body), 65536):
                yield body[start : start + 65536]

        headers = {"Content-Type": request.headers["content-type"]}
        assert (await as_user.post(path, content=unsized(), headers=headers)).status_code == 413
    assert _kept(clients) == []
    assert (await as_user.get("/api/v1/config")).json()["max_file_size_upload"] == 1


async def test_broken_uploads_leave_nothing(as_user: httpx.AsyncClient, flow_id: str, clients: Clients) -> None:
    """STO-1: no field, no name, no boundary, a body that ends early or is no multipart."""
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    for path in (f"/api/v1/files/upload/{flow_id}", "/api/v2/files"):
        for content, expected in (
            (head + b"x" * 100_000, 400),
            (head + b"x\r\n--b\r\n", 400),
            (head[:30], 422),
            (b"nonsense", 400),
            (b"", 422),
            (head.replace(b'"file"', b'"other"') + b"x\r\n--b--\r\n", 422),
            (head.replace(b'; filename="a.txt"', b"") + b"x\r\n--b--\r\n", 422),
            (head.replace(b"a.txt", b"") + b"x\r\n--b--\r\n", 400),
        ):
            answer = await as_user.post(path, content=content, headers=kind)
            assert answer.status_code in (expected, 400), (content[:80], answer.text)
        assert (await as_user.post(path, json={})).status_code == 422
    assert _kept(clients) == []
    sound = head.replace(b'"file"', b'"other"') + b"y\r\n" + head + b"x\r\n--b--\r\n"
    assert (await as_user.post("/api/v2/files", content=sound, headers=kind)).json()["size"] == 1


async def test_deleting_a_flow_or_a_user_deletes_the_files(
    as_user: httpx.AsyncClient, flow_id: str, clients: Clients, user: User
) -> None:
    """STO-1: nothing is left of what nobody can reach any more."""
    await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(b"x"))
    await as_user.post("/api/v2/files", files=_file(b"x", "mine.txt"))
    await as_user.delete(f"/api/v1/flows/{flow_id}")
    assert _kept(clients) == ["mine.txt"]
    superuser = await clients.superuser()
    assert (await superuser.delete(f"/api/v1/users/{user.id}")).status_code == 200
    assert _kept(clients) == []


async def test_a_part_of_a_file(as_user: httpx.AsyncClient, flow_id: str) -> None:
    """STO-3: by every route that downloads; what is beyond the end is a 416 that says how large the file is."""
    data = bytes(index % 251 for index in range(20_000))
    path = (await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(data, "a.png"))).json()["file_path"]
    file_id = (await as_user.post("/api/v2/files", files=_file(data))).json()["id"]
    for url in (f"/api/v1/files/download/{path}", f"/api/v1/files/images/{path}", f"/api/v2/files/{file_id}"):
        whole = await as_user.get(url)
        assert (whole.headers["accept-ranges"], whole.headers["content-length"]) == ("bytes", "20000")
        for header, part, span in (
            ("bytes=0-99", data[:100], "0-99"),
            ("bytes=4090-4100", data[4090:4101], "4090-4100"),
            ("bytes=19990-", data[19990:], "19990-19999"),
            ("bytes=-10", data[-10:], "19990-19999"),
            ("bytes=100-99999", data[100:], "100-19999"),
        ):
            got = await as_user.get(url, headers={"Range": header})
            assert (got.status_code, got.content) == (206, part)
            assert got.headers["content-range"] == f"bytes {span}/20000"
            assert got.headers["content-length"] == str(len(part))
            assert got.headers["etag"] == whole.headers["etag"]
        beyond = await as_user.get(url, headers={"Range": "bytes=20000-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */20000")
        assert beyond.json()["type"] == "urn:bedplate:error:file_range"
        several = await as_user.get(url, headers={"Range": "bytes=0-1,5-6"})
        assert (several.status_code, several.content) == (200, data)
        resumed = {"Range": "bytes=1-2", "If-Range": whole.headers["etag"]}
        assert (await as_user.get(url, headers=resumed)).status_code == 206
        assert (await as_user.get(url, headers=resumed | {"If-Range": '"other"'})).status_code == 200


async def test_a_file_that_the_caller_has(as_user: httpx.AsyncClient, flow_id: str) -> None:
    """STO-3: is not sent again; one that is not the wanted version is a 412."""
    path = (await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(b"text"))).json()["file_path"]
    url = f"/api/v1/files/download/{path}"
    got = await as_user.get(url)
    for headers in ({"If-None-Match": got.headers["etag"]}, {"If-Modified-Since": got.headers["last-modified"]}):
        same = await as_user.get(url, headers=headers)
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", got.headers["etag"])
    other = await as_user.get(url, headers={"If-Match": '"other"'})
    assert (other.status_code, other.json()["type"]) == (412, "urn:bedplate:error:file_changed")
    assert (await as_user.get(url, headers={"If-None-Match": '"other"'})).content == b"text"


async def test_a_link_opens_one_file_to_anybody(as_user: httpx.AsyncClient, flow_id: str, clients: Clients) -> None:
    """STO-3: without other credentials, parts and conditions included; to nothing else."""
    anybody = await clients.anonymous()
    file_id = (await as_user.post("/api/v2/files", files=_file(b"0123456789", "Grüße.txt"))).json()["id"]
    await as_user.put(f"/api/v2/files/{file_id}", params={"name": "renamed"})
    link = (await as_user.post(f"/api/v2/files/{file_id}/link", json={"expires_in": 60})).json()
    assert link["method"] == "GET"
    got = await anybody.get(link["url"])
    assert (got.status_code, got.content) == (200, b"0123456789")
    assert got.headers["content-disposition"].startswith('attachment; filename="renamed.txt"')
    part = await anybody.get(link["url"], headers={"Range": "bytes=2-3"})
    assert (part.status_code, part.content) == (206, b"23")
    same = await anybody.get(link["url"], headers={"If-None-Match": got.headers["etag"]})
    assert same.status_code == 304
    refused = await anybody.put(link["url"], content=b"x")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:bedplate:error:signed_url")
    await as_user.delete(f"/api/v2/files/{file_id}")
    assert (await anybody.get(link["url"])).status_code == 404


async def test_tampered_and_expired_links_are_refused(
    as_user: httpx.AsyncClient, flow_id: str, clients: Clients, user: User
) -> None:
    """STO-3: by a typed error that says nothing of the file; also with good credentials beside."""
    path = (await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(b"secret"))).json()["file_path"]
    link = (await as_user.post(f"/api/v1/files/link/{path}", json={})).json()["url"]
    base, _, token = link.partition("?token=")
    storage = clients.container.storage()
    over = msgspec.structs.replace(storage.redeem(token, "GET"), expires_at=datetime.now(UTC) - timedelta(seconds=1))
    middle = len(token) // 2
    forged = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    for bad, text in (
        (forged, "the link is not valid"),
        (token[:-1], "the link is not valid"),
        ("", "the link is not valid"),
        (storage._links._signer.sign(over), "the link has expired"),  # type: ignore[union-attr]
    ):
        for client in (await clients.anonymous(), as_user):
            for method in ("GET", "PUT"):
                answer = await client.request(method, base, params={"token": bad}, content=b"")
                assert (answer.status_code, answer.json()["detail"]) == (403, text)
                assert answer.json()["type"] == "urn:bedplate:error:signed_url"
                assert token not in answer.text
    assert (await (await clients.anonymous()).get(link)).content == b"secret"


async def test_links_are_made_by_owners_alone(as_user: httpx.AsyncClient, flow_id: str, clients: Clients) -> None:
    """ALL-4: another's file does not exist; what a link cannot be is refused."""
    other = await clients.logged_in("other")
    path = (await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(b"x"))).json()["file_path"]
    file_id = (await as_user.post("/api/v2/files", files=_file(b"x"))).json()["id"]
    assert (await other.post(f"/api/v1/files/link/{path}", json={})).status_code == 404
    assert (await other.post(f"/api/v2/files/{file_id}/link", json={})).status_code == 404
    for body, status in (
        ({"expires_in": 10**9}, 400),
        ({"expires_in": 0}, 422),
        ({"expires_in": "soon"}, 422),
        ({"method": "DELETE"}, 422),
        ({"unknown": 1}, 422),
    ):
        assert (await as_user.post(f"/api/v1/files/link/{path}", json=body)).status_code == status, body
    assert (await as_user.post(f"/api/v1/files/link/{flow_id}/..%5Ca", json={})).status_code == 400


async def test_a_link_to_save_a_file(as_user: httpx.AsyncClient, flow_id: str, clients: Clients) -> None:
    """STO-3: as a new one, over the known version, within the limit of size; it reads nothing."""
    anybody = await clients.anonymous()
    wanted = {"method": "PUT"}
    link = (await as_user.post(f"/api/v1/files/link/{flow_id}/new.bin", json=wanted)).json()["url"]
    made = await anybody.put(link, content=b"1" * 5_000, headers={"If-None-Match": "*"})
    assert (made.status_code, made.json()["size"], made.headers["etag"]) == (200, 5_000, made.json()["etag"])
    again = await anybody.put(link, content=b"2", headers={"If-None-Match": "*"})
    stale = await anybody.put(link, content=b"2", headers={"If-Match": '"other"'})
    for answer in (again, stale):
        assert (answer.status_code, answer.json()["type"]) == (412, "urn:bedplate:error:file_changed")
    assert (await anybody.put(link, content=b"3", headers={"If-Match": made.headers["etag"]})).status_code == 200
    assert (await anybody.get(link)).status_code == 403
    large = await anybody.put(link, content=b"x" * (1024 * 1024 + 1))
    assert large.status_code == 413
    assert (await as_user.get(f"/api/v1/files/download/{flow_id}/new.bin")).content == b"3"
    assert _kept(clients) == ["new.bin"]


async def test_only_raster_images_are_shown_by_a_link(
    as_user: httpx.AsyncClient, flow_id: str, clients: Clients
) -> None:
    """STO-3: whatever the link asks for."""
    for name, shown in (("a.png", True), ("a.svg", False)):
        path = (await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(SVG, name))).json()["file_path"]
        link = (await as_user.post(f"/api/v1/files/link/{path}", json={"inline": True})).json()["url"]
        got = await (await clients.anonymous()).get(link)
        assert got.headers["content-disposition"].startswith("inline" if shown else "attachment")
        assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"


async def test_files_of_a_flow_page_by_page(as_user: httpx.AsyncClient, flow_id: str) -> None:
    """STO-3: the next page is in the header Link; a forged cursor is refused."""
    for number in range(5):
        await as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(b"x", f"{number} &?.txt"))
    whole = (await as_user.get(f"/api/v1/files/list/{flow_id}")).json()["files"]
    found, url = [], f"/api/v1/files/list/{flow_id}?limit=2"
    while url:
        page = await as_user.get(url)
        found += page.json()["files"]
        url = page.links.get("next", {}).get("url", "")
    assert found == whole
    assert (await as_user.get(f"/api/v1/files/list/{flow_id}", params={"cursor": "Li4v"})).status_code == 400


class TestQuota:
    """With a quota."""

    @pytest.fixture
    def container_settings(self, container_settings: dict[str, Any]) -> dict[str, Any]:
        return container_settings | {"storage": {"quota_bytes": 10_000, "chunk_bytes": 4096}}

    async def test_uploads_over_quota(self, as_user: httpx.AsyncClient, flow_id: str, clients: Clients) -> None:
        """STO-3: 413 by every route that saves, nothing is left, and the caller sees what is used."""
        await as_user.post("/api/v2/files", files=_file(b"x" * 6_000, "kept.txt"))
        link = (await as_user.post(f"/api/v1/files/link/{flow_id}/a", json={"method": "PUT"})).json()["url"]
        for call in (
            as_user.post("/api/v2/files", files=_file(b"x" * 4_001)),
            as_user.post(f"/api/v1/files/upload/{flow_id}", files=_file(b"x" * 4_001)),
            (await clients.anonymous()).put(link, content=b"x" * 4_001),
        ):
            answer = await call
            assert (answer.status_code, answer.json()["type"]) == (413, "urn:bedplate:error:quota_exceeded")
        usage = (await as_user.get("/api/v2/files/usage")).json()
        assert usage == {"bytes": 6_000, "files": 1, "quota": 10_000}
        assert _kept(clients) == [".usage", "kept.txt"]
        assert [file["name"] for file in (await as_user.get("/api/v2/files")).json()] == ["kept"]
        await as_user.post("/api/v2/files", files=_file(b"x" * 4_000))
        other = await clients.logged_in("other")
        assert (await other.post("/api/v2/files", files=_file(b"x" * 9_000))).status_code == 201
