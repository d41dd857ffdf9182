"""A node of one's own: anvil with the flags that a measurement needs, ended with it."""

import platform
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from analysis.devnode.chain import Chain
from fl.faults import Fault

START_SECONDS = 20
ROOT = Path(__file__).resolve().parents[2]
UNLIMITED = 2**40  # gas: more than any block or transaction here takes


class NodeError(Fault):
    """Anvil is not there or does not start."""


@contextmanager
def anvil(*flags: str, frozen: bool = True, limited: bool = True) -> Iterator[Chain]:
    """Run a node on a free port.

    Args:
        flags: anvil's, beside those that the set-up gives it (2^24 gas a transaction, few states kept).
        limited: whether a transaction may take 2^24 gas and a block 30M; else there is no limit.
        frozen: whether blocks are mined by transactions, in a time that stands still, and from anybody.

    Raises:
        NodeError: it cannot be started.
    """
    limits = [] if limited else ["--gas-limit", str(UNLIMITED), "--prune-history", "64"]
    binary = "anvil" if limited else str(_native())
    with anvil_at(free_port(), "--base-fee", "0", "--gas-price", "0", *limits, *flags, binary=binary) as chain:
        if frozen:
            chain.impersonate_anyone()
            chain.freeze_clock()
        yield chain


@contextmanager
def anvil_at(port: int, *flags: str, binary: str = "anvil") -> Iterator[Chain]:
    """Run a node on a port, with these flags.

    Raises:
        NodeError: it cannot be started.
    """
    command = [binary, "--port", str(port), "--silent", *flags]
    try:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise NodeError(f"there is no {binary}: run `make setup`, then `. .venv/bin/activate`") from None
    try:
        yield _connect(f"http://127.0.0.1:{port}", process, command)
    finally:
        process.terminate()
        process.wait()


def _connect(uri: str, process: subprocess.Popen[str], command: Sequence[str]) -> Chain:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            said = process.stderr.read().strip() if process.stderr else ""
            raise NodeError(f"`{' '.join(command)}` ended with {process.returncode}: {said}")
        chain = Chain(uri)  # a connection that was refused is of no more use
        try:
            chain.rpc("eth_chainId")
        except OSError:
            time.sleep(0.05)
        else:
            return chain
    raise NodeError(f"`{' '.join(command)}` does not answer")


def _native() -> Path:
    """Anvil itself: the command on the path limits transactions."""
    machine = "amd64" if platform.machine() in ("x86_64", "amd64") else "arm64"
    return ROOT / "node_modules" / "@foundry-rs" / f"anvil-{platform.system().lower()}-{machine}" / "bin" / "anvil"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
