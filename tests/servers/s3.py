"""S3 APIs for tests, and what is in their buckets."""

import uuid

from bedplate.services.engines.s3 import S3Engine
from bedplate.wiring.testing.servers.s3 import S3Server, moto, rclone

__all__ = ["S3Server", "moto", "new_bucket", "objects", "rclone", "uploads"]


async def new_bucket(engine: S3Engine, server: S3Server) -> str:
    """Make a bucket; its name."""
    name = f"test-{uuid.uuid4().hex}"
    await (await engine.client(server.address)).create_bucket(Bucket=name)
    return name


async def objects(engine: S3Engine, server: S3Server, bucket: str) -> list[str]:
    """The keys of all objects of a bucket."""
    pages = (await engine.client(server.address)).get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [found["Key"] async for page in pages for found in page.get("Contents", ())]


async def uploads(engine: S3Engine, server: S3Server, bucket: str) -> list[str]:
    """The keys of all multipart uploads of a bucket that are under way."""
    client = await engine.client(server.address)
    try:
        answer = await client.list_multipart_uploads(Bucket=bucket)
    except client.exceptions.NoSuchUpload:  # how rclone says that there is none
        return []
    return [found["Key"] for found in answer.get("Uploads") or ()]
