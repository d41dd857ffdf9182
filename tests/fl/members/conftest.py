"""A node behind a proxy, ape connected through it, the contract, and an account with a journal for each test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from eth_account import Account

from analysis.devnode.anvil import anvil
from analysis.devnode.chain import Chain
from fl.market.client import Market
from fl.market.nodes import Patience, connected
from fl.members.journal import Journal, Recorded, State
from fl.members.outbox import Journaled, Settings
from tests.support.proxy import Proxy, proxied

FUNDS = 10**20
RICH = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"  # an account whose key the node holds
QUICK = Settings(pause=0.02, patience=0.15, silence=2, longest=10)
BRISK = Patience(connect=0.5, answer=0.3, rest=0.2)


@pytest.fixture(scope="module")
def anvil_node() -> Iterator[Chain]:
    with anvil("--slots-in-an-epoch", "1", frozen=False) as chain:
        yield chain


@pytest.fixture(scope="module")
def proxy(anvil_node: Chain) -> Iterator[Proxy]:
    with proxied(anvil_node.uri) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def provider(proxy: Proxy) -> Iterator[Any]:
    with connected([proxy.uri], patience=BRISK) as provider:
        yield provider


@pytest.fixture(scope="module")
def address(provider: Any, compiled: Any, accounts: Any) -> str:
    """The contract's."""
    return str(accounts[0].deploy(compiled).address)


@dataclass
class Sender:
    """An account, its journal, and the client that sends with them.

    Attributes:
        said: what its owner was told.
    """

    node: Chain
    proxy: Proxy
    provider: Any
    account: Any
    journal: Journal
    address: str
    said: list[str]
    settings: Settings = QUICK

    def client(self, **changed: Any) -> Market:
        """A client with an outbox that has just been started."""
        return Market.at(self.address, self.outbox(**changed))

    def outbox(self, **changed: Any) -> Journaled:
        return Journaled(self.journal, self.provider, replace(self.settings, **changed), self.said.append)

    def reopened(self) -> "Sender":
        """The same after a restart."""
        self.put_back(self.copied())
        return self

    def copied(self) -> bytes:
        """The journal's file while no process has it."""
        self.journal.close()
        copy = self.journal.path.read_bytes()
        self.journal = open_journal(self.journal.path, self.account, self.node, self.address)
        return copy

    def put_back(self, old: bytes) -> None:
        """A copy of the journal's file takes its place."""
        self.journal.close()
        self.journal.path.write_bytes(old)
        self.journal = open_journal(self.journal.path, self.account, self.node, self.address)

    def direct(self) -> Market:
        """The same account in somebody else's hand."""
        return Market.at(self.address)

    @property
    def balance(self) -> int:
        """Wei that the contract has of it."""
        return self.direct().free_balance(str(self.account.address))

    @property
    def nonce(self) -> int:
        return int(self.node.rpc("eth_getTransactionCount", str(self.account.address), "latest"), 16)

    def rows(self, *states: State) -> tuple[Recorded, ...]:
        return self.journal.transactions(*states)

    @property
    def raw(self) -> list[str]:
        """What the journal says has left."""
        return ["0x" + each.raw.hex() for each in self.rows()]

    def strange(self) -> None:
        """A transaction of the account, an empty one, that is in no journal."""
        fields = {"to": RICH, "value": 0, "gas": 21_000, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9}
        fields |= {"nonce": self.nonce, "chainId": self.node.chain_id, "type": 2}
        signed = Account.sign_transaction(fields, self.account.private_key)
        self.node.rpc("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex())

    def forget(self) -> None:
        """Have the node drop what it was given and has not mined."""
        self.node.rpc("anvil_dropAllTransactions")


def open_journal(path: Path, account: Any, node: Chain, address: str) -> Journal:
    return Journal(path, str(account.address), node.chain_id, address)


@pytest.fixture
def new_sender(anvil_node: Chain, proxy: Proxy, provider: Any, address: str, accounts: Any) -> Callable[[], Any]:
    """A function that gives a sender of its own to each `with`."""

    @contextmanager
    def new() -> Iterator[Sender]:
        account = accounts.generate_test_account()
        anvil_node.set_balance(str(account.address), FUNDS)
        proxy.requests.clear()
        with TemporaryDirectory() as folder:
            journal = open_journal(Path(folder) / "journal.sqlite", account, anvil_node, address)
            sender = Sender(anvil_node, proxy, provider, account, journal, address, [])
            try:
                yield sender
            finally:
                proxy.mend()
                sender.journal.close()
                anvil_node.rpc("anvil_dropAllTransactions")
                anvil_node.rpc("evm_setAutomine", True)

    return new


@pytest.fixture
def sender(new_sender: Callable[[], Any]) -> Iterator[Sender]:
    with new_sender() as sender:
        yield sender
