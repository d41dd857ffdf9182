"""The live page served from a thread, for tests and pictures."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvicorn

from fl.market.client import Market
from fl.market.membership_file import MembershipList
from web.app import app_of
from web.reader import Reader

SECONDS = 0.1


@contextmanager
def serving(
    market: Market, called: Mapping[str, str] | None = None, port: int = 0, listed: MembershipList | None = None
) -> Iterator[str]:
    """The address of a server of a deployment's rounds, for as long as it is needed."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        app = app_of(Reader(market).poll, SECONDS, called, listed)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server does not end"
