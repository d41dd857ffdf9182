"""Nodes whose blocks are far apart in time and close in real time."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from analysis.devnode.anvil import ROOT, anvil_at, free_port
from analysis.devnode.chain import Chain
from fl.faults import Fault

BLOCK_SECONDS = 4
"""Of the chain's time between two blocks."""

HARDHAT = "2.29.0"
"""Its node has code of its own, none of anvil's; of version 3 Node 22 is asked."""

START_SECONDS = 60
DIFFICULTY = 2
"""What a chain without randomness has in its place (EIP-4399)."""


class NodeError(Fault):
    """A node that cannot be had."""


@dataclass(frozen=True)
class Node:
    """A node that runs.

    Attributes:
        url: its address.
        chain: a connection to it.
    """

    url: str
    chain: Chain


@contextmanager
def anvil(seconds: float) -> Iterator[Node]:
    """Start anvil, mining a block every so many seconds, each `BLOCK_SECONDS` later than the one before."""
    port = free_port()
    with anvil_at(port, "--block-time", str(seconds), "--slots-in-an-epoch", "1") as chain:
        chain.rpc("anvil_setBlockTimestampInterval", BLOCK_SECONDS)
        yield Node(f"http://127.0.0.1:{port}", chain)


@contextmanager
def hardhat(seconds: float, *, randomness: bool = True) -> Iterator[Node]:
    """Start Hardhat's node, installed in a folder of its own, with blocks as `anvil` has them.

    Args:
        seconds: between two blocks.
        randomness: False: every block has `DIFFICULTY` where `prevrandao` would be.

    Raises:
        NodeError: it cannot be installed or started.
    """
    folder, port = _installed(), free_port()
    command = [str(folder / "node_modules" / ".bin" / "hardhat"), "node", "--port", str(port)]
    with (folder / "node.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, text=True)
    stop = threading.Event()
    try:
        chain = _connected(f"http://127.0.0.1:{port}", process, folder)
        miner = threading.Thread(target=_mine, args=(chain, seconds, randomness, stop), daemon=True)
        miner.start()
        yield Node(f"http://127.0.0.1:{port}", chain)
        stop.set()
        miner.join()
    finally:
        stop.set()
        ended(process, 5)


def _mine(chain: Chain, seconds: float, randomness: bool, stop: threading.Event) -> None:
    while not stop.wait(seconds):
        own = Chain(chain.uri)  # a connection that broke is of no more use
        with suppress(OSError):
            if not randomness:
                own.rpc("hardhat_setPrevRandao", "0x" + DIFFICULTY.to_bytes(32).hex())
            own.rpc("evm_increaseTime", BLOCK_SECONDS)
            own.rpc("evm_mine")


def _installed() -> Path:
    folder = ROOT / ".cache" / "hardhat"
    if (folder / "node_modules" / ".complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    network = {"chainId": 31337, "hardfork": "osaka", "mining": {"auto": False, "interval": 0}}
    config = {"solidity": "0.8.28", "networks": {"hardhat": network}}
    (folder / "hardhat.config.js").write_text(f"module.exports = {json.dumps(config)};\n", encoding="utf-8")
    package = {"private": True, "dependencies": {"hardhat": HARDHAT}}
    (folder / "package.json").write_text(json.dumps(package), encoding="utf-8")
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--cache", str(ROOT / ".cache" / "npm")]
    try:
        subprocess.run(["npm", "install", *options], cwd=folder, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise NodeError(f"hardhat {HARDHAT} cannot be installed into {folder}: {said.strip()[-300:]}") from error
    (folder / "node_modules" / ".complete").touch()
    return folder


def _connected(uri: str, process: "subprocess.Popen[str]", folder: Path) -> Chain:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        chain = Chain(uri)
        with suppress(OSError):
            chain.rpc("eth_chainId")
            return chain
        time.sleep(0.2)
    said = (folder / "node.log").read_text(encoding="utf-8").strip()
    raise NodeError(f"hardhat's node does not start: {said[-300:]}")


def ended(process: "subprocess.Popen[str]", seconds: float) -> None:
    """End a process, politely first."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        return
    process.kill()
    process.wait()
