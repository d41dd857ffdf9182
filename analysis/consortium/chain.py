"""A node whose blocks are far apart in time and close in real time."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from analysis.devnode.anvil import anvil_at, free_port
from analysis.devnode.chain import Chain

BLOCK_SECONDS = 4
"""Of the chain's time between two blocks."""


@dataclass(frozen=True)
class Node:
    """A node that runs.

    Attributes:
        url: its address.
        chain: a connection to it.
        seconds: of real time between two blocks.
    """

    url: str
    chain: Chain
    seconds: float


@contextmanager
def node(seconds: float, *flags: str) -> Iterator[Node]:
    """Start anvil, mining a block every so many seconds, each `BLOCK_SECONDS` later than the one before."""
    port = free_port()
    with anvil_at(port, "--block-time", str(seconds), "--slots-in-an-epoch", "1", *flags) as chain:
        chain.rpc("anvil_setBlockTimestampInterval", BLOCK_SECONDS)
        yield Node(f"http://127.0.0.1:{port}", chain, seconds)


def ended(process: "subprocess.Popen[str]", seconds: float) -> None:
    """End a process, politely first."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        return
    process.kill()
    process.wait()
