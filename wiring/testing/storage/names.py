"""STO-2: one validator for every name in every method; ALL-4: what belongs to somebody else is not there."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedplate.services.storage import FileNameError, Namespace, StorageService, StoredFileNotFoundError
from bedplate.wiring.testing.storage.harness import Capabilities, StorageHarness, content

__all__ = ["BAD_NAMES", "Names"]

BAD_NAMES = (
    "",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/b",
    "/etc/hostname",
    "//a",
    "..\\a",
    "C:\\a",
    "c:a",
    "a\x00",
    "a\nb",
    "a\x7f",
    "a\x85",
    "a\u2028b",
    "a\u202etxt.exe",
    "\ud800",
    "CON",
    "nul.txt",
    "com1 .txt",
    "LPT²",
    "a.",
    "a ",
    ".part-1",
    "a" * 256,
    "ä" * 128,
)
GOOD_NAMES = (
    "a",
    ".env",
    "ä" * 127,
    "a" * 255,
    "日本語.txt",
    "a b (1).tar.gz",
    "..a",
    "a..b",
    "null.txt",
    "-rf",
    "%2e%2e",
    "~",
)

Call = Callable[[StorageService, Namespace, str], Awaitable[Any]]

_OTHER = Namespace.user(uuid.uuid4())
METHODS: dict[str, Call] = {
    "save": lambda storage, namespace, name: storage.save(namespace, name, b""),
    "open": lambda storage, namespace, name: storage.open(namespace, name),
    "read": lambda storage, namespace, name: storage.read(namespace, name, max_bytes=1),
    "stat": lambda storage, namespace, name: storage.stat(namespace, name),
    "exists": lambda storage, namespace, name: storage.exists(namespace, name),
    "copy from": lambda storage, namespace, name: storage.copy(namespace, name, _OTHER, "b"),
    "copy to": lambda storage, namespace, name: storage.copy(_OTHER, "b", namespace, name),
    "move from": lambda storage, namespace, name: storage.move(namespace, name, _OTHER, "b"),
    "move to": lambda storage, namespace, name: storage.move(_OTHER, "b", namespace, name),
    "set_metadata": lambda storage, namespace, name: storage.set_metadata(namespace, name, {}),
    "delete": lambda storage, namespace, name: storage.delete(namespace, name),
}
ON_NAMESPACES: dict[str, Call] = METHODS | {
    "list": lambda storage, namespace, _name: storage.list(namespace),
    "delete_namespace": lambda storage, namespace, _name: storage.delete_namespace(namespace),
}


class Names(Capabilities):
    """STO-2 and ALL-4."""

    @pytest.mark.parametrize("method", METHODS)
    async def test_bad_names_are_refused_by_every_method(
        self, method: str, storage: StorageService, namespace: Namespace, harness: StorageHarness
    ) -> None:
        """STO-2: traversal, absolute paths, NUL, control characters, reserved and over-long names."""
        for name in BAD_NAMES:
            with pytest.raises(FileNameError):
                await METHODS[method](storage, namespace, name)
        with pytest.raises(FileNameError):
            await METHODS[method](storage, namespace, b"a")  # type: ignore[arg-type]
        assert await storage.list(namespace) == []
        assert await harness.leftovers() == []

    @pytest.mark.parametrize("method", ON_NAMESPACES)
    async def test_bad_namespaces_are_refused_by_every_method(self, method: str, storage: StorageService) -> None:
        """STO-2: a namespace is a user, a word and an id; a text in their place is refused."""
        user, some = uuid.uuid4(), uuid.uuid4()
        bad: list[Any] = [
            "/etc",
            "",
            None,
            Namespace(owner="../..", kind="user", id=some),  # type: ignore[arg-type]
            Namespace(owner=user, kind="user", id=""),  # type: ignore[arg-type]
            *(Namespace(owner=user, kind=kind, id=some) for kind in ("", "..", "/etc", "a/b", "User", "a-b", "a" * 33)),
        ]
        for namespace in bad:
            with pytest.raises(FileNameError):
                await ON_NAMESPACES[method](storage, namespace, "a")

    async def test_a_page_begins_after_a_possible_name(self, storage: StorageService, namespace: Namespace) -> None:
        """STO-2: the cursor of a list is a name like any other."""
        with pytest.raises(FileNameError):
            await storage.list(namespace, after="../a")

    @pytest.mark.parametrize("name", GOOD_NAMES)
    async def test_unusual_names_are_names(self, name: str, storage: StorageService, namespace: Namespace) -> None:
        """STO-2: nothing is refused, or changed, that is only unusual."""
        assert (await storage.save(namespace, name, name.encode())).name == name
        assert [file.name for file in await storage.list(namespace)] == [name]
        assert await content(storage, namespace, name) == name.encode()

    @settings(
        max_examples=50,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(name=st.text(min_size=1, max_size=300))
    async def test_any_text_is_refused_or_comes_back(self, name: str, storage: StorageService) -> None:
        """STO-2: whatever the text, it is a name in its own namespace, or refused."""
        namespace = Namespace.user(uuid.uuid4())
        try:
            await storage.save(namespace, name, b"x")
        except FileNameError:
            assert await storage.list(namespace) == []
        else:
            assert [file.name for file in await storage.list(namespace)] == [name]

    async def test_another_users_file_does_not_exist(self, storage: StorageService) -> None:
        """ALL-4: the same flow id under another user is another namespace."""
        ada, eve, flow = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
        await storage.save(Namespace.flow(ada, flow), "a.txt", b"secret")
        for method in ("open", "read", "stat", "copy from", "move from", "set_metadata", "delete"):
            with pytest.raises(StoredFileNotFoundError):
                await METHODS[method](storage, Namespace.flow(eve, flow), "a.txt")
        assert await storage.list(Namespace.flow(eve, flow)) == []
        assert await storage.delete_namespace(Namespace.flow(eve, flow)) == 0
        await storage.delete_owner(eve)
        assert await content(storage, Namespace.flow(ada, flow), "a.txt") == b"secret"
