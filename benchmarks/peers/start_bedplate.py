"""Starts Bedplate's application until it is ready, and ends at once: what a start costs."""

import asyncio
import os

from bedplate.containers import ApplicationContainer
from bedplate.wiring.http import create_app


async def main() -> None:
    app = create_app(ApplicationContainer())
    async with app.router.lifespan_context(app):
        os._exit(0)  # what follows a start is not part of it


asyncio.run(main())
