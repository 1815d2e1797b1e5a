"""STO-1: any sequence of operations does what the same sequence does to a dictionary."""

import uuid
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedplate.services.storage import FileTakenError, Namespace, OnTaken, StorageService, StoredFileNotFoundError
from bedplate.wiring.testing.storage.harness import Capabilities, content, pieces

__all__ = ["Model"]

_NAMES = st.sampled_from(("a", "b", "a (1)"))
_DATA = st.binary(max_size=10_000)
_STEPS = st.one_of(
    st.tuples(st.just("save"), _NAMES, _DATA, st.sampled_from(OnTaken), st.booleans()),
    st.tuples(st.sampled_from(("copy", "move")), _NAMES, _NAMES, st.sampled_from(OnTaken)),
    st.tuples(st.just("delete"), _NAMES),
    st.tuples(st.just("delete_namespace")),
)


class Model(Capabilities):
    """STO-1."""

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(steps=st.lists(_STEPS, max_size=12))
    async def test_a_namespace_is_a_dictionary(
        self, steps: Sequence[tuple[object, ...]], storage: StorageService
    ) -> None:
        """STO-1: names, contents and refusals after every step."""
        namespace = Namespace.user(uuid.uuid4())
        expected: dict[str, bytes] = {}
        for step in steps:
            assert await _really(storage, namespace, step) == _expected(expected, step)
            assert [file.name for file in await storage.list(namespace)] == sorted(expected)
        for name, data in expected.items():
            assert await content(storage, namespace, name) == data


async def _really(storage: StorageService, namespace: Namespace, step: tuple[object, ...]) -> object:
    try:
        match step:
            case "save", str(name), bytes(data), OnTaken() as on_taken, streamed:
                source = pieces(data) if streamed else data
                return (await storage.save(namespace, name, source, on_taken=on_taken)).name
            case "copy", str(name), str(target), OnTaken() as on_taken:
                return (await storage.copy(namespace, name, namespace, target, on_taken=on_taken)).name
            case "move", str(name), str(target), OnTaken() as on_taken:
                return (await storage.move(namespace, name, namespace, target, on_taken=on_taken)).name
            case "delete", str(name):
                await storage.delete(namespace, name)
                return "deleted"
            case _:
                return await storage.delete_namespace(namespace)
    except (FileTakenError, StoredFileNotFoundError) as error:
        return error.code


def _expected(files: dict[str, bytes], step: tuple[object, ...]) -> object:
    match step:
        case "save", str(name), bytes(data), OnTaken() as on_taken, _:
            return _put(files, name, data, on_taken)
        case ("copy" | "move") as kind, str(name), str(target), OnTaken() as on_taken:
            if name not in files:
                return "file_not_found"
            placed = _put(files, target, files[name], on_taken)
            if kind == "move" and placed not in ("file_taken", name):
                del files[name]
            return placed
        case "delete", str(name):
            return "deleted" if files.pop(name, None) is not None else "file_not_found"
        case _:
            count = len(files)
            files.clear()
            return count


def _put(files: dict[str, bytes], name: str, data: bytes, on_taken: OnTaken) -> str:
    if name in files and on_taken is OnTaken.REFUSE:
        return "file_taken"
    if on_taken is OnTaken.NUMBER:
        name = next(free for number in range(99) if (free := f"{name} ({number})" if number else name) not in files)
    files[name] = data
    return name
