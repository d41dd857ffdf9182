"""The words of the contract's interface: roles, policies, statuses, and the terms of a round."""

from dataclasses import astuple, dataclass, fields
from enum import IntEnum
from itertools import accumulate
from typing import Any

from eth_abi import encode
from eth_utils import keccak

GWEI = 10**9
SHORTEST_PHASE = 60  # seconds
SHORTEST_REVEAL_PHASE = 240
DRAW_DELAY = 60  # seconds from the commit deadline to the draw


class Role(IntEnum):
    """The side of the market that an account takes in a round."""

    OWNER = 0
    BASE_STATION = 1


ROLES = {"owner": Role.OWNER, "base station": Role.BASE_STATION}
"""By the word that people write."""


class Policy(IntEnum):
    """How owners divide the total payment; base stations always weigh the same."""

    EQUAL = 0
    CAPABILITY = 1


class Status(IntEnum):
    """What has become of a round."""

    NONE = 0
    OPEN = 1
    CANCELLED = 2
    NOTHING_TRAINED = 3
    TRAINING = 4
    REPORTED = 5
    ABORTED = 6


class Stage(IntEnum):
    """How far a member has come in a round; who is settled is forgotten (NONE), but for the claimant."""

    NONE = 0
    JOINED = 1
    COMMITTED = 2
    REVEALED = 3
    SETTLED = 4


class Phase(IntEnum):
    """The step of the protocol that a round is in."""

    JOIN = 0
    COMMIT = 1
    DRAW = 2
    REVEAL = 3
    SELECT = 4
    TRAIN = 5
    REPORT = 6
    VOTE = 7
    SETTLE = 8


@dataclass(frozen=True)
class Deadlines:
    """Unix times at which the phases close: each lasts at least 60 seconds, the reveal phase 240."""

    join: int
    commit: int
    reveal: int
    select: int
    train: int
    report: int
    vote: int

    @classmethod
    def after(cls, now: int, seconds: int) -> "Deadlines":
        """Phases of equal length from a time on; the reveal phase no shorter than it may be."""
        lengths = [seconds, seconds, max(seconds, SHORTEST_REVEAL_PHASE), *[seconds] * 4]
        return cls(*(now + end for end in accumulate(lengths)))

    @property
    def draw_opens(self) -> int:
        """From when on the claimant can be drawn."""
        return self.commit + DRAW_DELAY

    @property
    def draw(self) -> int:
        """From when on a round that is not drawn is cancelled."""
        return (self.commit + self.reveal) // 2


@dataclass(frozen=True)
class RoundTerms:
    """What the creator of a round fixes for good (`IHCFL.RoundTerms`), beside the membership list.

    Attributes:
        max_owner_bid: largest bid of an owner for a model, gwei.
        max_station_bid: largest bid of a base station for a model, gwei.
        bond: wei, whole gwei.
        contribution_stake: what every base station stakes upon its contribution, wei, whole gwei; 0: nothing.
        surplus_bps: the range that theta is drawn from, 1/10,000; (0, 0) under capability.
        threshold_bps: a verdict needs more than this part of the electors, 1/10,000.
        tolerance_bps: the measured accuracy may be so much below the claimed one, 1/10,000.
    """

    max_owner_bid: int
    max_station_bid: int
    bond: int
    deadlines: Deadlines
    contribution_stake: int = 0
    owner_policy: Policy = Policy.EQUAL
    surplus_bps: tuple[int, int] = (2_000, 6_000)
    threshold_bps: int = 5_000
    tolerance_bps: int = 300
    max_models: int = 64

    def encode(self) -> tuple[object, ...]:
        """As the contract's tuple."""
        return (
            self.max_owner_bid,
            self.max_station_bid,
            self.bond,
            self.contribution_stake,
            int(self.owner_policy),
            *self.surplus_bps,
            self.threshold_bps,
            self.tolerance_bps,
            self.max_models,
            astuple(self.deadlines),
        )

    @classmethod
    def decode(cls, terms: Any) -> "RoundTerms":
        """From the contract's struct, its fields as attributes (`IHCFL.termsOf`, `RoundCreated`)."""
        return cls(
            max_owner_bid=terms.maxOwnerBid,
            max_station_bid=terms.maxStationBid,
            bond=terms.bond,
            contribution_stake=terms.contributionStake,
            owner_policy=Policy(terms.ownerPolicy),
            surplus_bps=(terms.surplusMinBps, terms.surplusMaxBps),
            threshold_bps=terms.thresholdBps,
            tolerance_bps=terms.toleranceBps,
            max_models=terms.maxModels,
            deadlines=Deadlines(*(getattr(terms.deadlines, field.name) for field in fields(Deadlines))),
        )

    @property
    def hash(self) -> bytes:
        """What a member joins with, 32 bytes (`IHCFL.termsHashOf`)."""
        types = [
            "uint64",
            "uint64",
            "uint256",
            "uint256",
            "uint8",
            *["uint16"] * 4,
            "uint8",
            f"({','.join(['uint40'] * 7)})",
        ]
        return keccak(encode(types, self.encode()))

    def door(self, membership_root: bytes) -> bytes:
        """What a round with these terms and this membership list stores, 32 bytes (`IHCFL.doorOf`)."""
        return keccak(encode(["bytes32", "bytes32"], [membership_root, self.hash]))

    def worst_loss(self, role: Role, points: int = 1) -> int:
        """The most that a truthful member loses that does all its duties, wei (`IHCFL.worstLossOf`)."""
        if role is Role.OWNER:
            return self.max_owner_bid * GWEI * (1 + points)
        return self.max_station_bid * GWEI + self.contribution_stake

    def lock(self, role: Role, points: int = 1) -> int:
        """What a member locks, wei (`IHCFL.lockOf`)."""
        return self.worst_loss(role, points) + self.bond


def claimant_ordinal(source: int, round_id: int, stations: int) -> int:
    """Which base station a draw names, in the order of commits from 1 (`IHCFL`, "The draw").

    Args:
        source: `prevrandao` of the block of the draw, above 2^64.
        round_id: the round's number.
        stations: how many base stations have committed.
    """
    drawn = int.from_bytes(keccak(encode(["uint256", "uint256"], [source, round_id])), "big")
    return (drawn >> 64) % 2**96 % stations + 1
