"""A migrated SQLite file, made once and copied for each test: a start on it migrates nothing and imports no Alembic."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from bedplate.services.database.migrations import Migrations
from bedplate.services.database.revisions import head
from bedplate.services.database.sqlite import SQLiteBackend
from bedplate.services.settings import SettingsService

__all__ = ["DATABASE_FILE", "copy_database", "database_template"]

DATABASE_FILE = "bedplate.db"
"""What the file is called in a data directory."""


def database_template(folder: Path) -> Path:
    """The migrated, empty database of this release in the folder; made if it is not there.

    Several processes may ask at once: each gets a whole file.
    """
    template = folder / f"bedplate-{head()}.db"
    if not template.exists():
        with tempfile.TemporaryDirectory(dir=folder) as working:
            made = Path(working) / DATABASE_FILE
            asyncio.run(_migrate(made))
            made.replace(template)
    return template


def copy_database(template: Path, data_dir: Path) -> None:
    """Give a data directory a copy of the template as its database."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(template, data_dir / DATABASE_FILE)


async def _migrate(file: Path) -> None:
    settings = SettingsService(data_dir=file.parent, database={"url": f"sqlite+aiosqlite:///{file}"})
    # With its last connection closed, SQLite has put everything into the one file.
    await Migrations(SQLiteBackend(settings)).upgrade()
