"""A development node, spoken to directly: ten times as fast as through ape, and its clock stands still."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from analysis.devnode.codec import Event, Failure

# The most gas that a transaction may take (EIP-7825): every call here is sent with no more.
TRANSACTION_GAS = 2**24
POOL_SECONDS = 5

IDLE_SECONDS = 2
"""After which a new connection is made: Hardhat ends one that nobody has used for five."""


class Reverted(Exception):
    """A transaction or call reverted; `failure` says why."""

    def __init__(self, failure: Failure, what: str) -> None:
        super().__init__(f"{what} reverted: {failure}")
        self.failure = failure


class RpcError(Exception):
    """The node refused a request."""


@dataclass(frozen=True)
class Receipt:
    """A mined transaction.

    Attributes:
        gas_used: what was paid for, refunds taken off.
        events: the contract's, in order.
    """

    gas_used: int
    events: tuple[Event, ...]

    def event(self, name: str) -> dict[str, Any]:
        """The values of the one event of that name."""
        found = [event.values for event in self.events if event.name == name]
        assert len(found) == 1, f"{len(found)} events {name} in {[event.name for event in self.events]}"
        return found[0]

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]


class Chain:
    """An anvil node. Between `freeze_clock` and `release_clock` time passes by `travel_to` alone."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._connection = HTTPConnection(urlsplit(uri).netloc, timeout=60)
        self._used = 0.0

    def rpc(self, method: str, *params: Any) -> Any:
        answer = self._post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        if "error" in answer:
            raise RpcError(f"{method}: {answer['error']}")
        return answer["result"]

    def raw_batch(self, requests_: Sequence[tuple[str, tuple[Any, ...]]]) -> list[dict[str, Any]]:
        """Many requests in one; each answer has a `result` or an `error`."""
        if not requests_:
            return []
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(requests_)
        ]
        answers: list[dict[str, Any]] = self._post(body)
        return sorted(answers, key=lambda answer: int(answer["id"]))

    def _post(self, body: Any) -> Any:
        # A client with less comfort than `requests` takes a quarter of the time, and tests do little else.
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()
        try:
            self._connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
            return json.loads(self._connection.getresponse().read())
        except OSError:
            self._connection.close()  # else it would refuse every further request
            raise
        finally:
            self._used = time.monotonic()

    # ── time ──

    @property
    def now(self) -> int:
        """The time of the newest block, and of the next one."""
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def freeze_clock(self) -> None:
        self.rpc("anvil_setBlockTimestampInterval", 0)

    def release_clock(self) -> None:
        self.rpc("anvil_removeBlockTimestampInterval")

    def travel_to(self, time: int) -> None:
        """Make `time` the time of all blocks from here on; the past is ignored."""
        if time > self.now:
            self.rpc("evm_setNextBlockTimestamp", time)
            self.rpc("evm_mine")

    # ── state ──

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Undo on leaving what happened inside. Exceptions pass through, unlike in ape's `chain.isolate`."""
        identifier = self.rpc("evm_snapshot")
        try:
            yield
        finally:
            self._wait_for_pool()
            assert self.rpc("evm_revert", identifier), f"snapshot {identifier} is gone"

    def _wait_for_pool(self) -> None:
        """Wait until the node has taken what it mined out of its pool, which it does a moment after it has answered.

        Going back before that, it would drop the next transaction of the same sender and nonce as mined already.
        """
        end = time.monotonic() + POOL_SECONDS
        while int(self.rpc("txpool_status")["pending"], 16) and time.monotonic() < end:
            time.sleep(0.0005)

    def balance_of(self, account: str) -> int:
        return int(self.rpc("eth_getBalance", account, "latest"), 16)

    def set_balance(self, account: str, wei: int) -> None:
        self.rpc("anvil_setBalance", account, hex(wei))

    def set_code(self, account: str, code: bytes) -> None:
        self.rpc("anvil_setCode", account, "0x" + code.hex())

    def code_of(self, account: str) -> bytes:
        return bytes.fromhex(self.rpc("eth_getCode", account, "latest").removeprefix("0x"))

    def read_slot(self, contract: str, slot: int) -> int:
        return int(self.rpc("eth_getStorageAt", contract, hex(slot), "latest"), 16)

    def write_slot(self, contract: str, slot: int, word: int) -> None:
        self.rpc("anvil_setStorageAt", contract, hex(slot), f"0x{word:064x}")

    @property
    def chain_id(self) -> int:
        return int(self.rpc("eth_chainId"), 16)

    def impersonate_anyone(self) -> None:
        """Take transactions from every address, not only from those whose keys the node holds."""
        self.rpc("anvil_autoImpersonateAccount", True)
