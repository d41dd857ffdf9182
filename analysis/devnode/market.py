"""The deployed contract: its calls as values that are sent, or expected to revert."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from analysis.devnode.chain import TRANSACTION_GAS, Chain, Receipt, Reverted, RpcError
from analysis.devnode.codec import Codec, Event, Failure

TOGETHER = 100  # calls a request


@dataclass(frozen=True)
class Call:
    """One call to the contract, not sent yet."""

    market: "Market"
    function: str
    arguments: tuple[Any, ...]
    sender: str
    value: int = 0

    def send(self) -> Receipt:
        """Mine it in a block of its own.

        Raises:
            Reverted: it failed.
        """
        return self.market.send(self)

    def returns(self) -> Any:
        """What it would return if it were sent now.

        Raises:
            Reverted: it would fail.
        """
        return self.market.simulate(self)

    def reverts_with(self, error: str, **values: Any) -> None:
        """Assert that it would fail with that custom error and exactly these values."""
        named = self.market.codec.parameters_of(error)
        assert set(values) == set(named), f"{error} carries {named}, the test names {tuple(values)}"
        try:
            self.returns()
        except Reverted as reverted:
            expected = Failure(error, {name: values[name] for name in named})
            assert reverted.failure == expected, f"{self} reverted with {reverted.failure}, not {expected}"
        else:
            raise AssertionError(f"{self} succeeded, it should revert with {error}")

    def __str__(self) -> str:
        return f"{self.function}{self.arguments} by {self.market.name_of(self.sender)} with {self.value} wei"


class Market:
    """The contract `HCFL` on a chain."""

    def __init__(self, chain: Chain, address: str, codec: Codec, gas: int = TRANSACTION_GAS) -> None:
        """`gas` is what every transaction is sent with: more than 2^24 needs a node that allows it."""
        self.chain = chain
        self.gas = gas
        self.address = address
        self.codec = codec
        self.chain_id = chain.chain_id
        self._names: dict[str, str] = {}
        self._recordings: list[list[tuple[str, Receipt]]] = []

    def introduce(self, **actors: str) -> None:
        """Give accounts a name, for failure messages."""
        self._names |= {account: name for name, account in actors.items()}

    def name_of(self, account: str) -> str:
        return self._names.get(account, account)

    # ── calls ──

    def call(self, function: str, *arguments: Any, sender: str, value: int = 0) -> Call:
        return Call(self, function, arguments, sender, value)

    def send_all(self, calls: Sequence[Call]) -> list[Receipt]:
        """Send many calls one after the other, each in a block of its own.

        Raises:
            Reverted: one of them failed; those after it are not sent.
        """
        return [self.send(call) for call in calls]

    def send_together(self, calls: Sequence[Call]) -> list[Receipt]:
        """Send many calls that do not depend on each other's order, several a block.

        Raises:
            Reverted: one of them failed.
            RpcError: likewise, or the node refused one.
        """
        receipts = []
        self.chain.rpc("evm_setAutomine", False)  # a node that mines at once can trip over many at once
        try:
            for start in range(0, len(calls), TOGETHER):
                receipts += self._mined_together(calls[start : start + TOGETHER])
        finally:
            self.chain.rpc("evm_setAutomine", True)
        return receipts

    def _mined_together(self, calls: Sequence[Call]) -> list[Receipt]:
        answers = self.chain.raw_batch([("eth_sendTransaction", (self._paid(call),)) for call in calls])
        for call, answer in zip(calls, answers, strict=True):
            if "error" in answer:
                raise RpcError(f"{call}: {answer['error']}")
        asked = [("eth_getTransactionReceipt", (answer["result"],)) for answer in answers]
        for _ in calls:  # a block takes at least one
            self.chain.rpc("evm_mine")
            mined = [answer["result"] for answer in self.chain.raw_batch(asked)]
            if all(mined):
                return [self._receipt(call, receipt) for call, receipt in zip(calls, mined, strict=True)]
        raise RpcError(f"{mined.count(None)} of {len(calls)} calls are not mined")

    def send(self, call: Call) -> Receipt:
        return self._receipt(call, self.chain.rpc("eth_sendTransactionSync", self._paid(call)))

    def _paid(self, call: Call) -> dict[str, str]:
        return {**self._transaction(call), "gasPrice": "0x0"}

    def _receipt(self, call: Call, mined: dict[str, Any]) -> Receipt:
        if mined["status"] != "0x1":
            self.simulate(call)
            raise RpcError(f"{call} reverted on chain but not when it was called again")
        receipt = Receipt(int(mined["gasUsed"], 16), tuple(self.codec.event(log) for log in mined["logs"]))
        for recording in self._recordings:
            recording.append((call.function, receipt))
        return receipt

    def gas_needed(self, call: Call) -> int:
        """What it would have to be given now: more than it would use in the end, where slots are refunded."""
        return int(self.chain.rpc("eth_estimateGas", self._paid(call)), 16)

    @contextmanager
    def recording(self) -> Iterator[list[tuple[str, Receipt]]]:
        """Every call that is mined inside, with its receipt."""
        receipts: list[tuple[str, Receipt]] = []
        self._recordings.append(receipts)
        try:
            yield receipts
        finally:
            self._recordings.remove(receipts)

    def simulate(self, call: Call) -> Any:
        return self._results([call])[0]

    def view(self, function: str, *arguments: Any) -> Any:
        """The result of a view.

        Raises:
            Reverted: it failed.
        """
        return self.views([(function, arguments)])[0]

    def views(self, calls: Sequence[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        """Many views in one request."""
        return self._results([Call(self, name, arguments, self.address) for name, arguments in calls])

    def _results(self, calls: Sequence[Call]) -> list[Any]:
        answers = self.chain.raw_batch([("eth_call", (self._transaction(call), "latest")) for call in calls])
        return [self._result(call, answer) for call, answer in zip(calls, answers, strict=True)]

    def _result(self, call: Call, answer: dict[str, Any]) -> Any:
        if "error" in answer:
            raise Reverted(self._failure(answer["error"]), str(call))
        return self.codec.result(call.function, answer["result"])

    def _failure(self, error: dict[str, Any]) -> Failure:
        if "data" not in error:
            raise RpcError(str(error))
        return self.codec.failure(error["data"])

    def _transaction(self, call: Call) -> dict[str, str]:
        return {
            "from": call.sender,
            "to": self.address,
            "value": hex(call.value),
            "data": self.codec.call(call.function, call.arguments),
            "gas": hex(self.gas),
        }

    # ── what it holds ──

    def free(self, account: str) -> int:
        """The account's free balance, wei."""
        balance: int = self.view("freeBalance", account)
        return balance

    @property
    def held(self) -> int:
        """The ether that the contract holds, wei."""
        return self.chain.balance_of(self.address)

    def logs(self, *topics: str | list[str] | None) -> list[Event]:
        """The contract's events so far, oldest first: by each topic, one of several, or any (None)."""
        query = {"address": self.address, "fromBlock": "0x0", "toBlock": "latest", "topics": list(topics)}
        return [self.codec.event(log) for log in self.chain.rpc("eth_getLogs", query)]

    def logs_of(self, round_id: int) -> list[Event]:
        """All events of a round so far, oldest first."""
        rounds = [event for event in self.logs(None, f"0x{round_id:064x}") if "roundId" in event.values]
        return rounds
