"""What a global model was made of: which updates the winner averaged, which it left out, and why.

The winner leaves it, signed, for the other owners (`fl.store.mailbox`). What of it the chain knows is held against that
here; the updates themselves and the model are looked at in `fl.members.audit`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils import is_checksum_address

from fl.members.facts import Facts
from fl.members.owner import cut_of, present
from fl.store import canonical
from fl.store.artefacts import from_chain, is_digest
from fl.store.errors import ViewError, shown

MOST_BYTES = 2**23
"""Of such a document, whoever trains."""

_BYTES_EACH = 2048
"""Of it, for a base station: its account twice, a digest, and a reason of four bytes a character."""

MOST_REASON = 300
_PLAIN = str.maketrans("[]{}", "()()")
"""Brackets are counted before JSON is read."""


@dataclass(frozen=True)
class Aggregation:
    """The updates of one global round as the winner saw them.

    Attributes:
        block: number of the block by whose state it went.
        recorded: digest that a base station had recorded by then, 0x and hex, by account.
        left_out: of the base stations that train, those whose update is not in the model, and why, in a line.

    Raises:
        ViewError: a field is not of this form.
    """

    block: int
    recorded: Mapping[str, str]
    left_out: Mapping[str, str]

    def __post_init__(self) -> None:
        if type(self.block) is not int or not 0 <= self.block <= canonical.MOST_EXACT:
            raise ViewError(f"the block of an aggregation is {shown(self.block)}")
        for name, form in (("recorded", is_digest), ("left_out", _is_reason)):
            found: Any = getattr(self, name)
            if not isinstance(found, Mapping) or not all(map(form, found.values())):
                raise ViewError(f"{name} of an aggregation is {shown(found)}")
            if strange := [account for account in found if not is_checksum_address(account)]:
                raise ViewError(f"{name} of an aggregation names {shown(strange[0])}, which is no account")

    @classmethod
    def of(cls, block: int, recorded: Mapping[str, bytes], absent: Mapping[str, str]) -> "Aggregation":
        """What the winner leaves.

        Args:
            block: by whose state it goes.
            recorded: digests, by account.
            absent: as `Updates` has them.
        """
        digests = {account: from_chain(digest) for account, digest in recorded.items()}
        return cls(block, digests, {account: _plain(reason) for account, reason in absent.items()})

    @property
    def included(self) -> dict[str, str]:
        """Digest of each update that is in the model, by account."""
        return {account: digest for account, digest in self.recorded.items() if account not in self.left_out}

    @property
    def refused(self) -> int:
        """How many updates were recorded and are not in the model."""
        return len(self.recorded) - len(self.included)

    def to_bytes(self) -> bytes:
        """As canonical JSON."""
        fields = {"block": self.block, "recorded": dict(self.recorded), "left_out": dict(self.left_out)}
        return canonical.encode(fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Aggregation":
        """Read what anybody may have written.

        Raises:
            ViewError: it is none.
        """
        return cls(**canonical.decode(data, "aggregation", ("block", "recorded", "left_out"), MOST_BYTES))


def most_bytes(stations: int) -> int:
    """Bytes of the document of a global round in which so many base stations train."""
    return min(MOST_BYTES, 4096 + _BYTES_EACH * stations)


def _is_reason(value: object) -> bool:
    """Whether this can be shown to a person: a line, and a short one."""
    return isinstance(value, str) and len(value) <= MOST_REASON and value.isprintable()


def _plain(reason: str) -> str:
    line = "".join(each if each.isprintable() else " " for each in reason.translate(_PLAIN))
    return line[:MOST_REASON]


def whole(number: int, facts: Facts) -> Aggregation:
    """The aggregation of a winner that left word of none: of all that was recorded."""
    digests = present(facts, number)
    absent = {each.account: "" for each in facts.recorders if each.account not in digests}
    return Aggregation.of(facts.block, digests, absent)


def against_chain(said: Aggregation, number: int, facts: Facts, block_time: int) -> Iterator[str]:
    """What the chain says otherwise.

    Args:
        said: by the winner.
        number: the global round.
        facts: of the chain.
        block_time: Unix time of the block by whose state the winner went.
    """
    training = {each.account: each for each in facts.recorders}
    for account in sorted({*said.recorded, *said.left_out} - training.keys()):
        yield f"it names {account}, which does not train"
    cut, on_chain = cut_of(facts, number), present(facts, number)
    for account, station in training.items():
        digest = said.recorded.get(account)
        if digest is not None:
            found = on_chain.get(account)
            if found is None or digest != from_chain(found):
                yield f"it says that {account} recorded {digest}, which is not on chain"
        elif account not in said.left_out:
            yield f"it says nothing of {account}, which trains"
        elif account in on_chain:
            if station.recorded_in[number] <= said.block:
                yield f"it says that {account} had recorded nothing by block {said.block}, and it had"
            elif block_time < cut and not (number and station.recorded_in.get(number - 1, said.block + 1) > said.block):
                yield f"it did not wait for {account}, which had {cut - block_time} s left"
