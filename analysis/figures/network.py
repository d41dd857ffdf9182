"""A network to offer a stream of transactions to: blocks of so much gas, so many seconds apart."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.benchmarks.contract.load import LoadError, height_of, mining_every, send
from analysis.devnode.anvil import UNLIMITED
from analysis.devnode.chain import Chain
from analysis.figures.task_stream import Stream

POLL_SECONDS = 0.05
ROOM_SECONDS = 60  # for blocks that are late


@dataclass(frozen=True)
class Network:
    """How often there is a block, and the gas that it may take."""

    name: str
    block_seconds: int
    block_gas: int

    def capacity(self, stream: Stream) -> float:
        """Transactions of the stream, a second, whose gas fills every block."""
        return self.block_gas / self.block_seconds / (stream.gas / stream.each)


@dataclass(frozen=True)
class Block:
    """A block: its transactions and their gas, and how many were left waiting."""

    transactions: int
    gas: int
    waiting: int


@dataclass(frozen=True)
class Served:
    """What a network made of a stream.

    Attributes:
        offered: transactions a second.
        blocks: in order.
        accept_seconds: until the node had taken what came before a block, all blocks together; 0 if not measured.
        mine_seconds: until it had mined them; 0 if not measured.
    """

    offered: float
    blocks: tuple[Block, ...]
    accept_seconds: float = 0.0
    mine_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        blocks = [[block.transactions, block.gas, block.waiting] for block in self.blocks]
        return {**asdict(self), "blocks": blocks}


def serve(chain: Chain, network: Network, stream: Stream, offered: float, blocks: int) -> Served:
    """Send what comes in between two blocks, mine a block, and so on; the chain is left as it was.

    Nobody waits for the clock: a block is mined as soon as the node has taken what it would have got in the meantime,
    so that gas alone limits what is in it. The seconds that the node needs are measured: they tell whether it would be
    ready in time.

    Raises:
        LoadError: a transaction was refused, or reverted.
    """
    with chain.snapshot(), mining_every(chain, None):
        chain.rpc("evm_setBlockGasLimit", hex(network.block_gas))
        mined: list[Block] = []
        sent, accept, mine = 0, 0.0, 0.0
        start = height_of(chain)
        for number in range(1, blocks + 1):
            due = int(offered * network.block_seconds * number)
            began = time.monotonic()
            send(chain, stream.raw[sent:due])
            accepted = time.monotonic()
            chain.rpc("evm_mine")
            accept, mine = accept + accepted - began, mine + time.monotonic() - accepted
            sent = due
            mined.append(_block(chain, start + number, sent - sum(block.transactions for block in mined)))
        _finish(chain, stream, sent, start)
    return Served(offered, tuple(mined), accept, mine)


def serve_on_clock(chain: Chain, network: Network, stream: Stream, offered: float, blocks: int) -> Served:
    """The same with a node that mines by the clock, while transactions come in one by one.

    Raises:
        LoadError: likewise, or a block is overdue by a minute.
    """
    with chain.snapshot(), mining_every(chain, None):
        chain.rpc("evm_setBlockGasLimit", hex(network.block_gas))
        start, sent = height_of(chain), 0
        sent_before: list[int] = []  # of each block
        began = time.monotonic()
        chain.rpc("evm_setIntervalMining", network.block_seconds)
        while (mined := height_of(chain) - start) < blocks:
            elapsed = time.monotonic() - began
            if elapsed > blocks * network.block_seconds + ROOM_SECONDS:
                raise LoadError(f"the node mined {mined} of {blocks} blocks in {elapsed:.0f} s")
            sent_before += [sent] * (mined - len(sent_before))
            due = min(len(stream.raw), int(offered * elapsed))
            send(chain, stream.raw[sent:due])
            sent = due
            time.sleep(POLL_SECONDS)
        chain.rpc("evm_setIntervalMining", 0)
        sent_before += [sent] * (blocks - len(sent_before))
        found: list[Block] = []
        for number, before in enumerate(sent_before, start=1):
            found.append(_block(chain, start + number, before - sum(block.transactions for block in found)))
        _finish(chain, stream, sent, start)
    return Served(offered, tuple(found))


def _block(chain: Chain, number: int, pending: int) -> Block:
    """A block that could take from so many."""
    found = chain.rpc("eth_getBlockByNumber", hex(number), False)
    count = len(found["transactions"])
    return Block(count, int(found["gasUsed"], 16), pending - count)


def _finish(chain: Chain, stream: Stream, sent: int, start: int) -> None:
    """Complete the last task without limits, and see that nothing reverted: a task leaves a known number of events."""
    tasks = -(-sent // stream.each)
    chain.rpc("evm_setBlockGasLimit", hex(UNLIMITED))
    send(chain, stream.raw[sent : tasks * stream.each])
    chain.rpc("evm_mine")
    chain.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
    logs: Sequence[Any] = chain.rpc("eth_getLogs", {"fromBlock": hex(start + 1), "toBlock": "latest"})
    if len(logs) != tasks * stream.events:
        raise LoadError(f"{tasks} tasks left {len(logs)} events, not {tasks * stream.events}: transactions reverted")
