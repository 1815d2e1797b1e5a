"""Migrates both, and uses both in one transaction: python -m examples.host_app."""

import asyncio
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from examples.host_app.models import User
from sqlmodel import select

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.settings import SettingsService


async def main(folder: Path) -> None:
    """Run it in an empty folder."""
    database = folder / "app.db"
    migrate(database)  # the application's own history …
    settings = Singleton(
        SettingsService,
        data_dir=folder,
        database={"url": f"sqlite+aiosqlite:///{database}"},
        telemetry={"log_level": "error"},
    )
    container = ApplicationContainer(settings=settings)
    async with container.running(container.auth):  # … and Bedplate's, at its start
        account = await container.auth().create_superuser("ada", "an analytical engine")
        async with container.database().transaction() as session:
            session.add(User(email="ada@example.org", account_id=account.id))
        async with container.database().session() as session:
            user = (await session.exec(select(User))).one()
            print(f"{user.email} logs in as {(await container.auth().users.get(user.account_id)).username}")


def migrate(database: Path) -> None:
    """Run the application's own revisions."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", f"sqlite:///{database}")
    command.upgrade(config, "head")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(main(Path(made)))
