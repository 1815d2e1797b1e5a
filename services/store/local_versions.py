"""The versions of a component in the database: made once, chosen by number or digest."""

from bedplate.services.database.models import StoreComponentRow, StoreVersionRow
from bedplate.services.database.repositories.store import StoreRepository
from bedplate.services.store.backend import Document, Edit
from bedplate.services.store.errors import (
    StoreLimitError,
    VersionExistsError,
    VersionNotFoundError,
    VersionYankedError,
)
from bedplate.services.store.models import Which
from bedplate.services.store.validation import highest, next_version

__all__ = ["add_version", "chosen", "renew"]


async def add_version(
    store: StoreRepository,
    row: StoreComponentRow,
    document: Document,
    version: str | None,
    tested: str | None,
    limit: int,
) -> None:
    """Make a version of a document.

    Args:
        store: The open transaction.
        row: The component.
        document: The document.
        version: Its number; None: the patch after the highest one.
        tested: Of what its publisher tried it with.
        limit: Most versions of a component.

    Raises:
        VersionExistsError: There is one of this number.
        StoreLimitError: There are as many as allowed.
    """
    numbers = await store.numbers(row.id)
    if version in numbers:
        raise VersionExistsError(version or "")
    if len(numbers) >= limit:
        raise StoreLimitError("versions of it", limit, "MAX_VERSIONS")
    made = StoreVersionRow(
        component_id=row.id,
        version=version or next_version(numbers),
        digest=document.digest,
        document=document.text.decode(),
        size=len(document.text),
        summary=document.summary,
        last_tested_version=tested,
    )
    await store.add(made)
    row.latest = highest(await store.numbers(row.id, yanked=False))
    await store.flush()


async def renew(store: StoreRepository, row: StoreComponentRow, document: Document, edit: Edit, limit: int) -> None:
    """Make a version of a document, unless the newest one has it and no other number is asked for.

    Raises:
        VersionExistsError: There is one of this number.
        StoreLimitError: There are as many as allowed.
    """
    version = edit.version or None
    newest = await store.version(row.id, row.latest)
    if newest is not None and newest.digest == document.digest and version in (None, newest.version):
        return
    tested = edit.last_tested_version or None
    await add_version(store, row, document, version, tested, limit)


async def chosen(store: StoreRepository, component: StoreComponentRow, which: Which) -> StoreVersionRow:
    """The version that is meant, with its document.

    Raises:
        VersionNotFoundError: There is none.
        VersionYankedError: It is yanked, and neither its digest nor ``yanked`` was given.
    """
    if which.version is not None or which.digest is None:
        version = which.version or component.latest or highest(await store.numbers(component.id))
        row = await store.version(component.id, version)
    else:
        row = await store.by_digest(component.id, which.digest)
    if row is None or which.digest not in (None, row.digest):
        raise VersionNotFoundError
    if row.yanked_at is not None and which.digest is None and not which.yanked:
        raise VersionYankedError(row.version, row.yank_reason)
    return row
