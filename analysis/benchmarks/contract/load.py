"""Loads a node with signed transactions, as real clients would, and sees how fast it mines them."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from eth_account import Account
from eth_utils import keccak

from analysis.devnode.chain import Chain
from fl.faults import Fault

TOGETHER = 200  # transactions a request
FEE = 10**12  # wei a gas: more than full blocks can raise the base fee to
POLL_SECONDS = 0.01
STALL_SECONDS = 120


class LoadError(Fault):
    """The node refused a transaction, one reverted, or it stopped mining."""


@dataclass(frozen=True)
class Wallet:
    """A key and the account that it signs for."""

    key: bytes
    account: str

    @classmethod
    def of(cls, name: str) -> "Wallet":
        key = keccak(text=f"HCFL benchmark wallet {name}")
        return cls(key, Account.from_key(key).address)


@dataclass(frozen=True)
class Unsigned:
    """One transaction of a load. It serves so many members, and a call leaves an event for each of them."""

    wallet: Wallet
    to: str
    data: str
    gas: int
    value: int = 0
    serves: int = 1


@dataclass(frozen=True)
class Block:
    """A mined block of a load: when it was seen, seconds from the first transaction sent; its transactions and gas."""

    seconds: float
    transactions: int
    gas: int


@dataclass(frozen=True)
class Load:
    """What a node made of a load.

    Attributes:
        block_seconds: between blocks; None for one block as fast as the node can.
        transactions: that were sent and mined; none reverted.
        served: members, or transfers, that they are for.
        accepted: seconds until the node had taken all of them.
        blocks: the blocks with at least one of them.
    """

    block_seconds: int | None
    transactions: int
    served: int
    accepted: float
    blocks: tuple[Block, ...]

    @property
    def seconds(self) -> float:
        """From the first transaction sent to the last one mined."""
        return self.blocks[-1].seconds

    @property
    def inner(self) -> tuple[Block, ...]:
        """The blocks that had more waiting than they could take: not the first, which may be early, nor the last."""
        return self.blocks[1:-1]

    @property
    def a_second(self) -> float:
        """Members served a second.

        Without a clock: over the whole load, sending included. With one: over the inner blocks; if there is none, by
        the fullest block, as if all were like it.
        """
        if self.block_seconds is None:
            return self.served / self.seconds
        each = self.served / self.transactions
        if not self.inner:
            return each * max(block.transactions for block in self.blocks) / self.block_seconds
        mined = sum(block.transactions for block in self.inner)
        return each * mined / (self.inner[-1].seconds - self.blocks[0].seconds)

    def fill(self, block_gas: int) -> float | None:
        """What part of an inner block's gas was used, on average."""
        if not self.inner:
            return None
        return sum(block.gas for block in self.inner) / len(self.inner) / block_gas


def signed(chain: Chain, load: Sequence[Unsigned]) -> list[str]:
    """Sign every transaction, with explicit nonces; raw, hex. A wallet may send several."""
    accounts = list(dict.fromkeys(transaction.wallet.account for transaction in load))
    answers = chain.raw_batch([("eth_getTransactionCount", (account, "latest")) for account in accounts])
    nonces = {account: int(answer["result"], 16) for account, answer in zip(accounts, answers, strict=True)}
    chain_id = chain.chain_id
    raw = []
    for transaction in load:
        account = transaction.wallet.account
        fields = {
            "chainId": chain_id,
            "nonce": nonces[account],
            "to": transaction.to,
            "value": transaction.value,
            "data": transaction.data,
            "gas": transaction.gas,
            "maxFeePerGas": FEE,
            "maxPriorityFeePerGas": 0,
        }
        nonces[account] += 1
        raw.append(Account.sign_transaction(fields, transaction.wallet.key).raw_transaction.to_0x_hex())
    return raw


def run(chain: Chain, load: Sequence[Unsigned], block_seconds: int | None) -> Load:
    """Sign a load, then send it and wait until all of it is mined.

    Args:
        chain: a node that mines each transaction at once; it does again afterwards.
        load: its wallets have ether.
        block_seconds: between blocks; None to mine one block once all is sent, as fast as the node can.

    Raises:
        LoadError: a transaction was refused or reverted, or the node stalled.
    """
    raw = signed(chain, load)
    before = height_of(chain)
    watch = _Watch(chain.uri, before)
    with mining_every(chain, block_seconds), watch.watching():
        send(chain, raw)
        accepted = time.monotonic() - watch.start
        if block_seconds is None:
            chain.rpc("evm_mine")
        blocks = _wait(chain, watch, before, len(raw))
    served = sum(transaction.serves for transaction in load)
    calls = sum(transaction.serves for transaction in load if transaction.data != "0x")
    logged = chain.rpc("eth_getLogs", {"fromBlock": hex(before + 1), "toBlock": "latest"})
    if len(logged) != calls:
        raise LoadError(f"{calls} members were to be served, and {len(logged)} were: transactions reverted")
    chain.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
    return Load(block_seconds, len(raw), served, accepted, blocks)


def send(chain: Chain, raw: Sequence[str]) -> None:
    """Send signed transactions, many a request.

    Raises:
        LoadError: the node refused one.
    """
    for start in range(0, len(raw), TOGETHER):
        requests = [("eth_sendRawTransaction", (transaction,)) for transaction in raw[start : start + TOGETHER]]
        for answer in chain.raw_batch(requests):
            if "error" in answer:
                raise LoadError(f"the node refused a transaction: {answer['error']}")


def _wait(chain: Chain, watch: "_Watch", before: int, expected: int) -> tuple[Block, ...]:
    """Read blocks until all transactions are found in them."""
    blocks: list[Block] = []
    number, found, last = before, 0, time.monotonic()
    while found < expected:
        if time.monotonic() - last > STALL_SECONDS:
            raise LoadError(
                f"{expected - found} transactions are not mined after {STALL_SECONDS} s without a new block"
            )
        if number + 1 not in watch.seen:
            time.sleep(POLL_SECONDS)
            continue
        number, last = number + 1, time.monotonic()
        # Not the receipts: a node takes time with the square of their number to list a block's.
        mined = chain.rpc("eth_getBlockByNumber", hex(number), False)
        if count := len(mined["transactions"]):
            blocks.append(Block(watch.seen[number], count, int(mined["gasUsed"], 16)))
            found += count
    return tuple(blocks)


@dataclass
class _Watch:
    """Notes when blocks appear, on a connection and in a thread of its own."""

    uri: str
    height: int
    start: float = 0.0
    seen: dict[int, float] = field(default_factory=dict)

    @contextmanager
    def watching(self) -> Iterator[None]:
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=(done,))
        self.start = time.monotonic()
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _watch(self, done: threading.Event) -> None:
        chain = Chain(self.uri)
        height = self.height
        while not done.is_set():
            now = height_of(chain)
            for number in range(height + 1, now + 1):
                self.seen[number] = time.monotonic() - self.start
            height = now
            time.sleep(POLL_SECONDS)


def height_of(chain: Chain) -> int:
    """The number of the newest block."""
    return int(chain.rpc("eth_blockNumber"), 16)


@contextmanager
def mining_every(chain: Chain, seconds: int | None) -> Iterator[None]:
    """Mine on a clock, or not at all (None), instead of for each transaction."""
    chain.rpc("evm_setAutomine", False)
    if seconds is not None:
        chain.rpc("evm_setIntervalMining", seconds)
    try:
        yield
    finally:
        if seconds is not None:
            chain.rpc("evm_setIntervalMining", 0)
        chain.rpc("evm_setAutomine", True)
