"""The contract's logs, and where on the chain each stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """A decoded log of one round.

    Attributes:
        name: of the event in the contract's interface.
        values: by the names of its parameters; a struct has its fields as attributes.
        block: number of the block.
        time: Unix time of the block.
        transaction: hash, hex.
        log_index: of the log in its block.
    """

    name: str
    values: Mapping[str, Any]
    block: int = 0
    time: int = 0
    transaction: str = ""
    log_index: int = 0

    @property
    def trace(self) -> "Trace":
        """What it says, and of whom, without the amounts."""
        accounts = (self.values[key] for key in _ACCOUNTS if key in self.values)
        numbers = (int(self.values[key]) for key in ("model", "globalRound") if key in self.values)
        return Trace(self.name, next(accounts, None), next(numbers, None))


def in_order(events: Iterable[Event]) -> list[Event]:
    """As they are on the chain."""
    return sorted(events, key=lambda event: (event.block, event.log_index))


_ACCOUNTS = ("member", "proposer", "station", "elector", "claimant", "winner", "creator")


@dataclass(frozen=True)
class Trace:
    """One log of a transaction: which figure of the round it stands behind.

    Attributes:
        event: of the contract's interface.
        account: whom it is about; None: nobody alone.
        number: of the model or of the global round; None: of neither.
    """

    event: str
    account: str | None
    number: int | None


@dataclass(frozen=True)
class Transaction:
    """A mined transaction that left a log of the round.

    Attributes:
        call: the contract's function; None where another contract called it.
        sender: address.
        hash: hex.
        block: number of the block.
        time: Unix time of the block.
        index: of its first log of the round, in the block.
        gas_used: of its receipt.
        fee: what its sender paid for that gas, wei.
        logs: what it left of the round, in order.
    """

    call: str | None
    sender: str
    hash: str
    block: int
    time: int
    log_index: int
    gas_used: int
    fee: int
    logs: tuple[Trace, ...]


@dataclass(frozen=True)
class Sent:
    """A mined transaction of an account.

    Attributes:
        hash: hex.
        sender: who pays for it.
        nonce: its number among the sender's.
        call: the contract's function; None where it was sent to another contract.
        round_id: the round that the call names; None: none.
        done: whether it was not refused.
        block: number of the block.
        time: Unix time of the block.
        value: wei that it brought.
        gas_used: of its receipt.
        fee: wei that its sender paid for that gas.
    """

    hash: str
    sender: str
    nonce: int
    call: str | None
    round_id: int | None
    done: bool
    block: int
    time: int
    value: int
    gas_used: int
    fee: int
