"""Files: those in the lists of users, and those of flows."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

from bedplate.services.database.models import FileRow, utc_now
from bedplate.services.database.repositories.storage import FileRepository
from bedplate.services.engines.workers import Workers
from bedplate.services.session.names import next_name
from bedplate.services.storage import FileInfo, FileTakenError, Namespace, OnTaken, StorageService
from bedplate.services.storage.names import check_name
from bedplate.wiring.langflow.errors import UnusableError
from bedplate.wiring.langflow.source import LangflowSource
from bedplate.wiring.langflow.target import Target
from bedplate.wiring.langflow.values import SourceRow

__all__ = ["FileCopies", "carry_files"]

_PIECE = 1024 * 1024


class FileCopies:
    """Copies the contents of files before their rows are stored, and takes the copies back if those never are.

    Args:
        storage: Where files are kept here.
        workers: Threads for what blocks.
        folder: The configuration directory of Langflow, with a folder for each user and flow; None: there is none.
        dry: Copy nothing, but find out what would be copied.

    Attributes:
        of_users: What was copied for the lists of users, by the ids of the rows.
    """

    def __init__(self, storage: StorageService, workers: Workers, folder: Path | None, *, dry: bool) -> None:
        self.of_users: dict[uuid.UUID, FileInfo] = {}
        self.provider = storage.backend
        self._storage = storage
        self._workers = workers
        self._folder = folder
        self._dry = dry
        self._made: list[tuple[Namespace, str]] = []

    async def copy_of_user(self, row: SourceRow, owner: uuid.UUID) -> None:
        """Copy the content of a file in the list of a user; a name that is taken here gets a number.

        Raises:
            UnusableError: It is not there.
            BedplateError: It cannot be stored here.
        """
        if self._folder is None:
            raise UnusableError("the folder of files was not given: --config-dir")
        name = check_name(PurePosixPath(row.text("path")).name)
        path = self._folder / str(row.id("user_id")) / name
        self.of_users[row.id()] = await self._copy(path, Namespace.user(owner), name, OnTaken.NUMBER)

    async def files_of_flow(self, flow_id: uuid.UUID) -> list[Path]:
        """The files of a flow there."""
        if self._folder is None:
            return []
        return await self._workers.run("import", 1, _files_in, self._folder / str(flow_id))

    async def copy_of_flow(self, path: Path, flow_id: uuid.UUID, owner: uuid.UUID) -> bool:
        """Copy the content of a file of a flow; whether it was not here before.

        Its name stays, since messages name it.

        Raises:
            UnusableError: It is not there any more.
            BedplateError: It cannot be stored here.
        """
        try:
            await self._copy(path, Namespace.flow(owner, flow_id), check_name(path.name), OnTaken.REFUSE)
        except FileTakenError:
            return False
        return True

    async def take_back(self, *, but_of: frozenset[Namespace] | None = None) -> None:
        """Delete what was copied.

        Args:
            but_of: The namespaces of flows that keep theirs, and of all users; None: nobody keeps any.
        """
        kept = []
        while self._made:
            namespace, name = self._made.pop()
            if but_of is not None and (namespace.kind == "user" or namespace in but_of):
                kept.append((namespace, name))
                continue
            await self._storage.delete(namespace, name)
        self._made = kept

    async def _copy(self, path: Path, namespace: Namespace, name: str, on_taken: OnTaken) -> FileInfo:
        if not await self._workers.run("import", 1, _is_plain, path):
            raise UnusableError("its content is not in the folder")
        if self._dry:
            size = (await self._workers.run("import", 1, path.stat)).st_size
            return FileInfo(name=name, size=size, content_type="", etag="", modified_at=utc_now())
        info = await self._storage.save(namespace, name, self._pieces(path), on_taken=on_taken)
        self._made.append((namespace, info.name))
        return info

    async def _pieces(self, path: Path) -> AsyncIterator[bytes]:
        opened = await self._workers.run("import", 1, path.open, "rb")
        with opened:
            while piece := await self._workers.run("import", 1, opened.read, _PIECE):
                yield piece


async def carry_files(source: LangflowSource, target: Target, copies: FileCopies) -> None:
    """Put the files whose contents were copied into the lists of their users."""
    async for row in source.rows("file"):
        if (info := copies.of_users.get(row.id())) is None:
            continue
        owner = target.owners.of(row)
        name = row.text("name") or PurePosixPath(info.name).stem
        free = next_name(name, await FileRepository(target.session, owner).names_like(name))
        made = row.time("created_at") or utc_now()
        await target.insert(
            [
                FileRow(
                    id=row.id(),
                    user_id=owner,
                    name=free,
                    path=f"{owner}/{info.name}",
                    size=info.size,
                    provider=copies.provider,
                    created_at=made,
                    updated_at=row.time("updated_at") or made,
                )
            ]
        )
        target.report.changed("file", row.id(), name, [] if free == name else [f"its name was taken: it is {free!r}"])


def _files_in(folder: Path) -> list[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _is_plain(path))


def _is_plain(path: Path) -> bool:
    """Whether it is a file proper: a link might lead anywhere on this machine."""
    return path.is_file() and not path.is_symlink()
