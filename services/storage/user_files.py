"""The list of files of each user: what they call their files, and where these are."""

import uuid
from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from bedplate.services.database import DatabaseService
from bedplate.services.database.errors import UniqueViolationError
from bedplate.services.database.locks import lock_user
from bedplate.services.database.models import FileRow, new_id, utc_now
from bedplate.services.database.repositories.storage import FileRepository
from bedplate.services.errors import BedplateError, InvalidInputError, UnavailableError
from bedplate.services.logs import get_logger
from bedplate.services.schema import ServiceType
from bedplate.services.storage.errors import FileTakenError, StoredFileNotFoundError, TooManyFilesError
from bedplate.services.storage.models import Namespace, OnTaken, UserFile
from bedplate.services.storage.names import check_name, shortened
from bedplate.services.storage.reader import FileReader
from bedplate.services.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from bedplate.services.storage.service import StorageService

__all__ = ["UserFiles"]

_ATTEMPTS = 5

_log = get_logger("bedplate.storage")


class UserFiles:
    """The files in the lists of all users; each method sees those of one.

    Args:
        storage: Where the files are.
        database: Where the lists are.
        provider: The name of the backend.
        max_files: Most files of one user.
        max_batch: Most files of one call.
    """

    def __init__(
        self, storage: "StorageService", database: DatabaseService, *, provider: str, max_files: int, max_batch: int
    ) -> None:
        self._storage = storage
        self._database = database
        self._provider = provider
        self._max_files = max_files
        self._max_batch = max_batch

    async def add(self, user_id: uuid.UUID, filename: str, data: bytes | AsyncIterable[bytes]) -> UserFile:
        """Save a file and put it into the list; a name that is taken becomes ``"name (1)"``.

        Args:
            user_id: The owner.
            filename: What the user calls it, with extension.
            data: The content; see ``StorageService.save``.

        Raises:
            FileNameError: The name is not a possible one.
            TooManyFilesError: The user has as many files as allowed.
            FileTooLargeError: It is over the limit.
        """
        check_name(filename)
        suffix = PurePosixPath(filename).suffix
        async with self._database.session() as session:
            name = await self._free_name(FileRepository(session, user_id), filename.removesuffix(suffix))
        namespace = Namespace.user(user_id)
        info = await self._storage.save(namespace, shortened(name, suffix), data, on_taken=OnTaken.NUMBER)
        row = FileRow(
            id=new_id(),
            user_id=user_id,
            name=filename.removesuffix(suffix),
            path=f"{user_id}/{info.name}",
            size=info.size,
            provider=self._provider,
        )
        # Cancelled in between, nobody could tell whether the row is there.
        return await uninterrupted(self._enter_or_drop(row, namespace))

    async def list(self, user_id: uuid.UUID) -> list[UserFile]:
        """All files of the user, oldest first."""
        async with self._database.session() as session:
            return [_file(row) for row in await FileRepository(session, user_id).all()]

    async def get(self, user_id: uuid.UUID, file_id: uuid.UUID) -> UserFile:
        """One file.

        Raises:
            StoredFileNotFoundError: It is not the user's.
        """
        async with self._database.session() as session:
            return _file(await _own(FileRepository(session, user_id), file_id))

    async def get_many(self, user_id: uuid.UUID, file_ids: Collection[uuid.UUID]) -> Sequence[UserFile]:
        """Those of the files that are the user's, oldest first.

        Raises:
            InvalidInputError: More are asked for than one call may.
        """
        self._check_batch(file_ids)
        async with self._database.session() as session:
            return [_file(row) for row in await FileRepository(session, user_id).many(file_ids)]

    async def open(self, file: UserFile) -> FileReader:
        """Open a file of a list.

        Raises:
            StoredFileNotFoundError: It is in the list, but no longer in the storage.
        """
        return await self._storage.open(Namespace.user(file.user_id), file.stored_name)

    def archive(self, files: Iterable[UserFile]) -> AsyncIterator[bytes]:
        """Files of lists as one zip archive; see ``StorageService.archive``."""
        return self._storage.archive((file.filename, Namespace.user(file.user_id), file.stored_name) for file in files)

    async def rename(self, user_id: uuid.UUID, file_id: uuid.UUID, name: str) -> UserFile:
        """Call a file something else, its extension apart; where it is stored does not change.

        Raises:
            StoredFileNotFoundError: It is not the user's.
            FileNameError: The name is not a possible one.
            FileTakenError: Another file of the user has the name.
        """
        check_name(name)
        try:
            async with self._database.transaction() as session:
                files = FileRepository(session, user_id)
                row = await _own(files, file_id)
                check_name(name + PurePosixPath(row.path).suffix)
                row.name = name
                row.updated_at = utc_now()
                await files.flush()
        except UniqueViolationError:
            raise FileTakenError(name) from None
        return _file(row)

    async def delete(self, user_id: uuid.UUID, file_ids: Collection[uuid.UUID]) -> Sequence[UserFile]:
        """Delete those of the files that are the user's; which they were.

        Raises:
            InvalidInputError: More are given than one call may delete.
        """
        self._check_batch(file_ids)
        return await uninterrupted(self._delete(user_id, file_ids))

    async def delete_all(self, user_id: uuid.UUID) -> Sequence[UserFile]:
        """Delete all files of the user; which they were."""
        return await uninterrupted(self._delete(user_id, None))

    async def _delete(self, user_id: uuid.UUID, file_ids: Collection[uuid.UUID] | None) -> Sequence[UserFile]:
        # First the list: a file that nobody can name is only waste, a name without a file is an error.
        async with self._database.transaction() as session:
            deleted = [_file(row) for row in await FileRepository(session, user_id).delete(file_ids)]
        await self._drop(Namespace.user(user_id), [file.path for file in deleted])
        return deleted

    async def _drop(self, namespace: Namespace, paths: Sequence[str]) -> None:
        """Delete stored files whose rows are gone."""
        for path in paths:
            try:
                await self._storage.delete(namespace, PurePosixPath(path).name)
            except StoredFileNotFoundError:
                continue
            except BedplateError as error:
                _log.warning("a file that is in no list any more could not be deleted", path=path, error=error)

    async def _enter_or_drop(self, row: FileRow, namespace: Namespace) -> UserFile:
        try:
            return await self._enter(row)
        except BaseException:
            await self._drop(namespace, [row.path])
            raise

    async def _enter(self, row: FileRow) -> UserFile:
        stem = row.name
        for _ in range(_ATTEMPTS):
            try:
                async with self._database.transaction() as session:
                    await lock_user(session, row.user_id)
                    files = FileRepository(session, row.user_id)
                    row.name = await self._free_name(files, stem)
                    await files.add(row)
                return _file(row)
            except UniqueViolationError:
                row = FileRow(**row.model_dump())  # another replica took the name in between
        raise UnavailableError(
            "the name is being taken again and again", service=ServiceType.STORAGE, fix="try again, or use another name"
        )

    async def _free_name(self, files: FileRepository, stem: str) -> str:
        if await files.count() >= self._max_files:
            raise TooManyFilesError(self._max_files)
        taken = set(await files.names_like(stem))
        return next(name for number in range(len(taken) + 1) if (name := _with_number(stem, number)) not in taken)

    def _check_batch(self, file_ids: Collection[uuid.UUID]) -> None:
        if len(file_ids) > self._max_batch:
            raise InvalidInputError(
                f"{len(file_ids)} files are more than one call may take",
                service=ServiceType.STORAGE,
                fix=f"send at most {self._max_batch}, or raise BEDPLATE_STORAGE__MAX_BATCH",
            )


def _with_number(stem: str, number: int) -> str:
    return f"{stem} ({number})" if number else stem


async def _own(files: FileRepository, file_id: uuid.UUID) -> FileRow:
    row = await files.get(file_id)
    if row is None:
        raise StoredFileNotFoundError
    return row


def _file(row: FileRow) -> UserFile:
    return msgspec.convert(row, UserFile, from_attributes=True)
