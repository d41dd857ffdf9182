"""What happened in a round, as `analysis.settlement` takes it, and what it makes of it.

Bids and caps are gwei, every other amount is wei. Base stations and owners stay in the order in which they
are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analysis.mechanism import CONTRIBUTION_ONE, MAX_POINTS, THETA_ONE, WEI_PER_GWEI, Settlement

OwnerPolicy = Literal["equal", "capability"]
BasePolicy = Literal["equal", "capability", "contribution"]
Status = Literal["settled", "nothing trained", "aborted", "cancelled"]
# Why a bond is slashed: never revealed; no update recorded, or listed with an explicit 0; never reported;
# voted for; proposed but never committed.
Slash = Literal["silence", "absence", "abort", "vote", "proposal"]


@dataclass(frozen=True)
class Member:
    """One joined account.

    Attributes:
        bids: One bid a model in gwei; not looked at, and taken as zeros, unless revealed.
        points: Capability points, 1 where the side's policy is not capability.
        committed: Whether it committed a bid. Whoever only joined gets its lock back and plays no part, but
            for a proposer, which is slashed.
        revealed: Whether it revealed the bid it committed.
        recorded: Base stations: whether it recorded at least one update.
    """

    bids: tuple[int, ...] = ()
    points: int = 1
    committed: bool = True
    revealed: bool = True
    recorded: bool = False


@dataclass(frozen=True)
class Round:
    """Everything about a round that its accounting depends on.

    Attributes:
        owners: All that joined as owners.
        base_stations: All that joined as base stations.
        proposers: The proposer of each model, an index into `owners`. A model is live if its proposer
            committed.
        theta_numerator: `theta * 2**64`.
        max_owner_bid: Cap on an owner's bid, gwei.
        max_base_bid: Cap on a base station's bid, gwei.
        bond: Wei, at least `max_base_bid` (contribution policy: twice that).
        owner_policy: How the pool is shared among owners.
        base_policy: How it is shared among base stations.
        selected_in_time: Whether the selection was called before its deadline.
        global_round_recorded: Whether the winner recorded at least one global round.
        reported: Whether the winner reported. If not, the training is aborted.
        punished: Whether the electors voted to punish the winner.
        contributions: The reported points by base station, None for one that is not listed (not the same as
            an explicit 0). Empty: nobody is listed.

    The last four say nothing where no model is selected; `punished` and `contributions` nothing where the
    winner did not report.

    Raises:
        ValueError: The facts contradict each other or the rules of the protocol.
    """

    owners: tuple[Member, ...]
    base_stations: tuple[Member, ...]
    proposers: tuple[int, ...]
    theta_numerator: int
    max_owner_bid: int
    max_base_bid: int
    bond: int
    owner_policy: OwnerPolicy = "equal"
    base_policy: BasePolicy = "equal"
    selected_in_time: bool = True
    global_round_recorded: bool = True
    reported: bool = True
    punished: bool = False
    contributions: tuple[int | None, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.theta_numerator < THETA_ONE:
            raise ValueError(f"theta_numerator {self.theta_numerator} is not in 0 ... 2**64 - 1")
        if self.bond < self.base_liability:
            raise ValueError(f"bond {self.bond} is below its minimum {self.base_liability}")
        if len(set(self.proposers)) != len(self.proposers) or not set(self.proposers) <= set(range(len(self.owners))):
            raise ValueError(f"proposers {self.proposers} are not different owners of {len(self.owners)}")
        if self.contributions and len(self.contributions) != len(self.base_stations):
            raise ValueError(f"{len(self.contributions)} contributions for {len(self.base_stations)} base stations")
        for name, members, policy, cap in (
            ("owner", self.owners, self.owner_policy, self.max_owner_bid),
            ("base station", self.base_stations, self.base_policy, self.max_base_bid),
        ):
            for number, member in enumerate(members):
                _check_member(f"{name} {number}", member, policy, cap, len(self.proposers))
        for number, listed in enumerate(self.contributions):
            if listed is not None and not (0 <= listed < CONTRIBUTION_ONE and self.base_stations[number].committed):
                raise ValueError(f"base station {number} cannot be listed with {listed} points")

    @property
    def live(self) -> tuple[bool, ...]:
        """Whether each model's proposer committed."""
        return tuple(self.owners[proposer].committed for proposer in self.proposers)

    @property
    def base_liability(self) -> int:
        """What a base station locks besides the bond, and the least a bond may be."""
        return self.max_base_bid * WEI_PER_GWEI * (2 if self.base_policy == "contribution" else 1)

    def owner_liability(self, owner: Member) -> int:
        """What an owner locks besides the bond: `maxOwnerBid * (1 + p)`."""
        return self.max_owner_bid * WEI_PER_GWEI * (1 + owner.points)


def _check_member(name: str, member: Member, policy: str, cap: int, models: int) -> None:
    if not 1 <= member.points <= MAX_POINTS or (policy != "capability" and member.points != 1):
        raise ValueError(f"{name} cannot have {member.points} points under the {policy} policy")
    if not member.committed and member.recorded:
        raise ValueError(f"{name} recorded without having committed")
    if member.committed and not member.revealed and member.recorded:
        raise ValueError(f"{name} recorded without having revealed")
    if member.committed and member.revealed and len(member.bids) != models:
        raise ValueError(f"{name} revealed {len(member.bids)} bids for {models} models")
    if member.committed and member.revealed and not all(0 <= bid <= cap for bid in member.bids):
        raise ValueError(f"{name} bid outside 0 ... {cap}: {member.bids}")


@dataclass(frozen=True)
class Dues:
    """What a member is to pay and to get, before what its lock holds is looked at. `slash` owes the bond."""

    share: int = 0
    tax: int = 0
    reward: int = 0
    forfeited: int = 0
    slash: Slash | None = None


@dataclass(frozen=True)
class Statement:
    """One member's settlement in wei.

    Always `payment = share + tax + slashed + forfeited`.

    Attributes:
        lock: What it had locked.
        share: Signed: what an owner paid of its share; minus what a base station was due as reward or as its
            part of an abort, forfeited or not.
        tax: The tax that was collected.
        reward: What a base station was paid.
        forfeited: The reward it was due but did not get.
        slashed: The part of the bond that was collected.
        slash: Why, None if its bond is untouched.
        payment: What settlement took or, negative, gave.
        put_in: What it put into the side's recycling itself: tax, bond slashed for silence or absence,
            forfeited reward.
        rebate: What it gets back when it joins a later round, or claims it; 0 unless it committed.
    """

    lock: int
    share: int
    tax: int
    reward: int
    forfeited: int
    slashed: int
    slash: Slash | None
    payment: int
    put_in: int
    rebate: int = 0


@dataclass(frozen=True)
class Side:
    """What a round recycles on one side, in wei.

    `inside` is what its committed members put in themselves, `outside` everything else credited to the side.
    """

    inside: int
    outside: int


@dataclass(frozen=True)
class RoundResult:
    """The accounting of a round.

    Attributes:
        status: As in `round.json`.
        selected: Index of the selected model, None without one.
        settlement: The mechanism's result over the committed members (owners first); None if the round was
            cancelled.
        owners: A statement by owner, joined or committed.
        base_stations: The same for base stations.
        owner_side: What the owners' side recycles.
        base_side: What the base stations' side recycles.
        abort_remainder: What an abort's equal parts leave over.
        escrow_left: What the round's escrow holds for good once every rebate is claimed: `abort_remainder`
            and less than four wei a member.
    """

    status: Status
    selected: int | None
    settlement: Settlement | None
    owners: tuple[Statement, ...]
    base_stations: tuple[Statement, ...]
    owner_side: Side
    base_side: Side
    abort_remainder: int
    escrow_left: int
