"""The engines that replicas share, each a real server on loopback."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from bedplate.wiring.testing.servers.postgres import named_database, postgres
from bedplate.wiring.testing.servers.s3 import S3Server, rclone
from bedplate.wiring.testing.servers.valkey import ValkeyServer

__all__ = ["Engines", "engines"]

_NAME = "bedplate"


class Engines(NamedTuple):
    """Where they are."""

    database: str
    redis: str
    s3: S3Server
    bucket: str

    @property
    def environment(self) -> dict[str, str]:
        """What replicas are told of them; passwords are in it."""
        return {
            "BEDPLATE_DATABASE__URL": self.database,
            "BEDPLATE_REDIS__URL": self.redis,
            "BEDPLATE_STORAGE__S3_BUCKET": self.bucket,
            "BEDPLATE_STORAGE__S3_ENDPOINT": self.s3.endpoint,
            "BEDPLATE_STORAGE__S3_REGION": "us-east-1",
            "BEDPLATE_STORAGE__S3_ACCESS_KEY": self.s3.access_key,
            "BEDPLATE_STORAGE__S3_SECRET_KEY": self.s3.secret_key,
            "BEDPLATE_STORAGE__S3_ADDRESSING": "path",
        }

    @property
    def lines(self) -> list[str]:
        """Where they are, for people; without passwords."""
        database, redis = urlsplit(self.database), urlsplit(self.redis)
        return [
            f"PostgreSQL  {database.hostname}:{database.port}{database.path}",
            f"Valkey      {redis.hostname}:{redis.port}{redis.path}",
            f"S3          {self.s3.endpoint}/{self.bucket}",
        ]


@contextmanager
def engines(folder: Path) -> Iterator[Engines]:
    """Run the engines for the length of a block; what they keep is in the folder, and there the next time."""
    places = [folder / name for name in ("postgres", "valkey", "s3")]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    (places[2] / "data" / _NAME).mkdir(parents=True, exist_ok=True)  # to rclone, a folder is a bucket
    with ExitStack() as stack:
        database = named_database(stack.enter_context(postgres(places[0])), _NAME)
        redis = stack.enter_context(ValkeyServer(places[1], "--maxmemory-policy", "noeviction", durable=True))
        s3 = stack.enter_context(rclone(places[2]))
        yield Engines(database, redis.url, s3, _NAME)
