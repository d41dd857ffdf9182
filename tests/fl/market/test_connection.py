"""The node that a command starts."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fl.market import connection
from fl.market.refusals import MarketError


@contextmanager
def just_closed(port: int) -> Iterator[None]:
    """A connection from a port that has been closed: the system keeps the port for a minute."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), source_address=("127.0.0.1", port)):
            there, _ = server.accept()
        there.close()
        yield


def test_free_port__one_where_a_node_cannot_listen__is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    listening, closed, free = random.sample(range(20_000, 32_768), 3)
    drawn = [listening, closed, free]
    monkeypatch.setattr("random.sample", lambda ports, count: drawn)
    with socket.create_server(("127.0.0.1", listening)), just_closed(closed):
        assert connection.free_port() == free
        drawn.remove(free)
        with pytest.raises(MarketError, match="no port of this machine is free"):
            connection.free_port()
