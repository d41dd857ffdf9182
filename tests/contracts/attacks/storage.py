"""A round's storage, read and placed word by word, for states that no test can reach call by call."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from eth_abi import encode
from eth_utils import keccak

from analysis.devnode.rounds import LiveRound, Seat, round_slot
from tests.contracts.attacks.layout import Field, fields_of

# Slots within a round (contracts/types/Round.sol).
LEDGER, TERMS, CONDUCT, DRAW, DOOR, LOT = range(6)
SUMS, SUMS_A_SIDE = 6, 17
MEMBERS = 41


@dataclass
class Word:
    """One storage word of a round; `fields` where its type draws them."""

    round_: LiveRound
    slot: int
    fields: dict[str, Field]

    @property
    def value(self) -> int:
        return self.round_.market.chain.read_slot(self.round_.market.address, self.slot)

    @value.setter
    def value(self, word: int) -> None:
        self.round_.market.chain.write_slot(self.round_.market.address, self.slot, word)

    def __getitem__(self, name: str) -> int:
        return self.fields[name].of(self.value)

    @property
    def content(self) -> dict[str, int]:
        """What is in its fields, those left out that are 0."""
        told = {name: field.of(self.value) for name, field in self.fields.items()}
        return {name: value for name, value in told.items() if value}

    def place(self, **values: int) -> None:
        """Set fields, each within its width."""
        word = self.value
        for name, value in values.items():
            word = self.fields[name].put(word, value)
        self.value = word

    @contextmanager
    def changes_only(self, names: Collection[str]) -> Iterator[None]:
        """What happens inside changes these fields, each of them, and not a bit of the others."""
        before = self.value
        yield
        after = self.value
        changed = {name for name, field in self.fields.items() if field.of(before) != field.of(after)}
        assert changed == set(names), f"changed {sorted(changed)}, expected {sorted(names)}"
        drawn = sum(field.mask for field in self.fields.values())
        assert (before ^ after) & ~drawn == 0, "bits outside all fields changed"


def ledger_of(round_: LiveRound) -> Word:
    return Word(round_, round_slot(round_.id) + LEDGER, fields_of("Ledger"))


def terms_of(round_: LiveRound) -> Word:
    return Word(round_, round_slot(round_.id) + TERMS, fields_of("Terms"))


def conduct_of(round_: LiveRound) -> Word:
    return Word(round_, round_slot(round_.id) + CONDUCT, fields_of("Conduct"))


def draw_of(round_: LiveRound) -> Word:
    return Word(round_, round_slot(round_.id) + DRAW, fields_of("Draw"))


def member_of(round_: LiveRound, seat: Seat) -> Word:
    key = encode(["address", "uint256"], [seat.account, round_slot(round_.id) + MEMBERS])
    return Word(round_, int.from_bytes(keccak(key), "big"), fields_of("Member"))


def lot_of(round_: LiveRound) -> Word:
    return Word(round_, round_slot(round_.id) + LOT, {})


def sums_of(round_: LiveRound, side: int, word: int) -> Word:
    lanes = {f"lane {lane}": Field(f"lane {lane}", 64 * lane, 64) for lane in range(4)}
    return Word(round_, round_slot(round_.id) + SUMS + SUMS_A_SIDE * side + word, lanes)
