"""The words of the contract's interface: roles, policies, statuses, and the terms of a round."""

from dataclasses import astuple, dataclass
from enum import IntEnum

GWEI = 10**9


class Role(IntEnum):
    """The side of the market that an account takes in a round."""

    OWNER = 0
    BASE_STATION = 1


class Policy(IntEnum):
    """How a side divides the total payment among its members."""

    EQUAL = 0
    CAPABILITY = 1
    CONTRIBUTION = 2


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
    """How far a member has come in a round."""

    NONE = 0
    JOINED = 1
    COMMITTED = 2
    REVEALED = 3
    SETTLED = 4
    CLOSED = 5


class Phase(IntEnum):
    """The step of the protocol that a round is in."""

    JOIN = 0
    COMMIT = 1
    REVEAL = 2
    SELECT = 3
    TRAIN = 4
    REPORT = 5
    VOTE = 6
    SETTLE = 7


@dataclass(frozen=True)
class Deadlines:
    """Unix times at which the phases close, strictly increasing."""

    join: int
    commit: int
    reveal: int
    select: int
    train: int
    report: int
    vote: int

    @classmethod
    def after(cls, now: int, seconds: int) -> "Deadlines":
        """Phases of equal length from a time on."""
        return cls(*(now + seconds * (i + 1) for i in range(7)))


@dataclass(frozen=True)
class RoundTerms:
    """What the creator of a round fixes for good (`IHCFL.RoundParams`).

    Attributes:
        max_owner_bid: largest bid of an owner for a model, gwei.
        max_base_bid: largest bid of a base station for a model, gwei.
        bond: wei.
        punish_threshold_bps: the winner is punished by more than this part of the electors, 1/10,000.
        membership_root: 32 bytes, zero for an open round.
    """

    max_owner_bid: int
    max_base_bid: int
    bond: int
    deadlines: Deadlines
    owner_policy: Policy = Policy.EQUAL
    base_policy: Policy = Policy.EQUAL
    punish_threshold_bps: int = 5_000
    max_models: int = 64
    membership_root: bytes = bytes(32)

    def encode(self) -> tuple[object, ...]:
        """As the contract's tuple."""
        return (
            self.max_owner_bid,
            self.max_base_bid,
            self.bond,
            int(self.owner_policy),
            int(self.base_policy),
            self.punish_threshold_bps,
            self.max_models,
            self.membership_root,
            astuple(self.deadlines),
        )

    def lock(self, role: Role, points: int = 1) -> int:
        """What a member locks, wei (`IHCFL.lockOf`)."""
        return lock_of(role, points, self.max_owner_bid, self.max_base_bid, self.bond, self.base_policy)


def lock_of(role: Role, points: int, max_owner_bid: int, max_base_bid: int, bond: int, base_policy: Policy) -> int:
    """What a member locks, wei (mechanism.md, "Locks and what can be collected"); caps in gwei, the bond in wei."""
    if role is Role.OWNER:
        return max_owner_bid * GWEI * (1 + points) + bond
    times = 2 if base_policy is Policy.CONTRIBUTION else 1
    return max_base_bid * GWEI * times + bond
