"""`ape run explorer` as a user types it: a node that goes away and comes back, 200 viewers, one reader."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from analysis.devnode.market import Market as Devnode
from analysis.devnode.rounds import CreateRound
from fl.faults import Fault
from fl.members.access import Access
from tests.support.browser import visit
from tests.support.crowdfund_round import APE, ROOT
from tests.support.relay import Relay, wait_for
from web.serve import advice_for, serve

NOBODY = "0x" + "11" * 20
VIEWERS = 200
MOST_MEMORY = 300_000_000
"""Bytes."""


@dataclass
class Explorer:
    """The command, running."""

    process: subprocess.Popen[str]
    address: str
    relay: Relay

    @property
    def memory(self) -> int:
        """Bytes that it has in memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def explorer(*options: str) -> list[str]:
    return [str(APE), "run", "explorer", *options]


@pytest.fixture
def running(market: Devnode) -> Iterator[Explorer]:
    port = urlsplit(market.chain.uri).port
    assert port is not None
    relay = Relay(port)
    typed = explorer("--contract", market.address, "--network", relay.address, "--port", "0")
    with subprocess.Popen(typed, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert found, line + process.stdout.read()
            yield Explorer(process, found[0], relay)
        finally:
            process.kill()
            relay.close()


def view(address: str, path: str) -> socket.socket:
    """A viewer's stream, open."""
    parts = urlsplit(address)
    assert parts.hostname and parts.port
    stream = socket.create_connection((parts.hostname, parts.port), timeout=20)
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    return stream


def until(stream: socket.socket, words: bytes) -> None:
    """Read on until the words have come."""
    read = b""
    while words not in read:
        part = stream.recv(65536)
        assert part, f"the stream ended before {words!r}"
        read += part


def test_explorer__node_away_then_200_viewers__one_reader_in_300_mb_and_a_quiet_end(
    browser: Browser, running: Explorer, create_round: CreateRound
) -> None:
    round_ = create_round().joined()
    with visit(browser, f"{running.address}/rounds/{round_.id}") as seen:
        trouble = seen.page.locator("#trouble")
        expect(seen.page.locator("#live-members tbody tr")).to_have_count(6, timeout=60_000)
        running.relay.cut()
        expect(trouble).to_contain_text("The node does not answer since", timeout=60_000)
        expect(seen.page.locator("#live-members tbody tr")).to_have_count(6)
        round_.committed()
        running.relay.mend()
        expect(trouble).to_be_empty(timeout=60_000)
        expect(seen.page.locator("#counts")).to_contain_text("6 of 6")
        assert seen.said == []

        asked = running.relay.requests
        alone = requests_of_one_look(running)
        streams = [view(running.address, f"/rounds/{round_.id}/events") for _ in range(VIEWERS)]
        for stream in streams:
            until(stream, b"6 of 6")
        before = running.relay.requests
        round_.drawn()
        for stream in streams:
            until(stream, b"stands aside")
        looks = (running.relay.requests - before) / alone
        assert asked and looks < 30, "requests to the node grow with the viewers"
        assert running.memory < MOST_MEMORY
        for stream in streams:
            stream.close()
        expect(seen.page.locator("#live-base-station-3")).to_contain_text("stands aside")
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(20) in (0, 130)
    assert running.process.stdout is not None
    assert "Traceback" not in running.process.stdout.read()


def requests_of_one_look(running: Explorer) -> int:
    """What a look costs that finds nothing new."""
    before = running.relay.requests
    wait_for("another look at the node", lambda: running.relay.requests > before)
    return max(1, running.relay.requests - before)


@pytest.mark.parametrize(
    ("address", "reached"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("fe80::1%eth0", True)]
)
def test_advice__an_address_that_others_reach__is_given(address: str, reached: bool) -> None:
    assert ("Put a web server of your own before it" in advice_for(address)) == reached


@pytest.mark.parametrize(
    ("contract", "named", "host", "words"),
    [
        ("0x12", True, "127.0.0.1", "is neither an address"),
        (NOBODY, False, "127.0.0.1", "no node is named"),
        (NOBODY, True, "256.0.0.1", "cannot be listened on"),
    ],
)
def test_serve__what_cannot_be_used__is_said_before_the_node_is_asked(
    chain: Any, contract: str, named: bool, host: str, words: str
) -> None:
    with pytest.raises(Fault, match=words):
        serve(Access(chain.provider if named else None, contract), host, 0)
