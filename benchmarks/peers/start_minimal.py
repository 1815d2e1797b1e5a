"""Starts the minimal application until it is ready, and ends at once."""

import asyncio
import os
import sys

from benchmarks.peers.minimal_app import create_app


async def main() -> None:
    app = create_app(sys.argv[1])
    async with app.router.lifespan_context(app):
        os._exit(0)  # what follows a start is not part of it


asyncio.run(main())
