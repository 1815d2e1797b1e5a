"""Runs a flow with the runner of this example: python -m examples.custom_runner."""

import asyncio
import tempfile

from dependency_injector.providers import Object
from examples.custom_runner.runner import ShoutingRunner

from bedplate.containers import ApplicationContainer, Singleton
from bedplate.services.session import NewFlow
from bedplate.services.session.runner import RunInputs
from bedplate.services.settings import SettingsService
from bedplate.wiring.execution import Execution


async def main() -> None:
    """Run it, and print what the chat service has of it afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Singleton(SettingsService, data_dir=folder, telemetry={"log_level": "error"})
        container = ApplicationContainer(settings=settings)
        with container.runner.override(Object(ShoutingRunner())):
            async with container.running():
                user = await container.auth().create_superuser("ada", "an analytical engine")
                flow = await container.session().flows.create(
                    user.id, NewFlow(name="Shout", data={"nodes": [], "edges": []})
                )
                execution = Execution.of(container)
                result = await execution.run(user.id, flow, RunInputs(input_value="hello there"))
                page = await container.chat().list(user.id, session_id=result.session_id)
                print(f"{page.items[-1].sender_name}: {page.items[-1].text}")


if __name__ == "__main__":
    asyncio.run(main())
