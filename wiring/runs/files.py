"""Files of users, as components of their flows name them."""

import uuid

from bedplate.services.storage import Namespace, StorageService, StoredFileNotFoundError

__all__ = ["read_file_of"]


async def read_file_of(storage: StorageService, user_id: uuid.UUID, path: str) -> bytes:
    """The content of a file by the path that its upload answered: an id of a flow or of the user, a slash, a name.

    Args:
        storage: Where it is.
        user_id: Who asks; another user's file does not exist.
        path: The path.

    Raises:
        StoredFileNotFoundError: There is none.
        FileTooLargeError: It is larger than a component may read.
        FileNameError: Its name is no name.
    """
    folder, _, name = path.partition("/")
    try:
        owner = uuid.UUID(folder)
    except ValueError:
        raise StoredFileNotFoundError from None
    namespace = Namespace.user(user_id) if owner == user_id else Namespace.flow(user_id, owner)
    return await storage.read(namespace, name)
