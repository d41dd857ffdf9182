"""What happened in a round, as `analysis.settlement` takes it, and what it makes of it.

Bids and caps are gwei, every other amount is wei. Owners and base stations stay in the order in which they are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analysis.mechanism import (
    MAX_POINTS,
    MIN_OWNERS,
    MIN_STATIONS,
    THETA_ONE,
    WEI_PER_GWEI,
    Settlement,
    most_contribution_points,
)

OwnerPolicy = Literal["equal", "capability"]
Status = Literal["settled", "nothing trained", "aborted", "cancelled"]
# Why bond is taken: never revealed; fewer updates recorded than global rounds; listed with 0 points that were upheld;
# never reported; voted for; proposed but never committed.
Slash = Literal["silence", "absence", "zero", "abort", "vote", "proposal"]


@dataclass(frozen=True)
class Member:
    """One joined account.

    Attributes:
        bids: One bid a model in gwei; not looked at, and taken as zeros, unless revealed.
        points: Capability points, 1 where the owners' policy is not capability, and for base stations.
        committed: Whether it committed a bid. Whoever only joined gets its lock back and plays no part, but for a
            proposer, which is slashed.
        revealed: Whether it revealed the bid that it committed. The claimant's is never revealed.
        recorded: Base stations: how many global rounds it recorded an update of.
    """

    bids: tuple[int, ...] = ()
    points: int = 1
    committed: bool = True
    revealed: bool = True
    recorded: int = 0


@dataclass(frozen=True)
class Round:
    """Everything about a round that its accounting depends on.

    Attributes:
        owners: All that joined as owners.
        stations: All that joined as base stations.
        proposers: The proposer of each model, an index into `owners`. A model is live if its proposer committed.
        claimant: The base station that the draw named, an index into `stations`; None where nothing was drawn.
        theta_numerator: `theta * 2**64`.
        max_owner_bid: Cap on an owner's bid, gwei.
        max_station_bid: Cap on a base station's bid, gwei.
        bond: Wei, at least `max_station_bid`.
        stake: The contribution stake of every base station, wei.
        owner_policy: How the pool is shared among owners.
        selected_in_time: Whether the selection was called before its deadline.
        global_rounds: Those that the selected proposal names, `T`.
        reported: Whether the winner reported. If not, the training is aborted.
        punished: Whether the electors voted to punish the winner.
        upheld: Whether the electors voted to uphold the contributions.
        contributions: The listed points by base station, None for one that is not listed (not the same as an explicit
            0). Empty: nobody is listed.

    The last five say nothing where no model is selected, the last three nothing where the winner did not report.

    Raises:
        ValueError: The facts contradict each other or the rules of the protocol.
    """

    owners: tuple[Member, ...]
    stations: tuple[Member, ...]
    proposers: tuple[int, ...]
    claimant: int | None
    theta_numerator: int
    max_owner_bid: int
    max_station_bid: int
    bond: int
    stake: int = 0
    owner_policy: OwnerPolicy = "equal"
    selected_in_time: bool = True
    global_rounds: int = 1
    reported: bool = True
    punished: bool = False
    upheld: bool = False
    contributions: tuple[int | None, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.theta_numerator < THETA_ONE:
            raise ValueError(f"theta_numerator {self.theta_numerator} is not in 0 ... 2**64 - 1")
        if self.owner_policy == "capability" and self.theta_numerator:
            raise ValueError("owners that pay by capability have a theta of 0")
        if self.bond < self.max_station_bid * WEI_PER_GWEI:
            raise ValueError(
                f"bond {self.bond} is below the largest bid of a base station, {self.max_station_bid} gwei"
            )
        if self.bond % WEI_PER_GWEI or self.stake % WEI_PER_GWEI or self.stake < 0:
            raise ValueError(f"bond {self.bond} and stake {self.stake} are not whole gwei")
        if self.global_rounds < 1:
            raise ValueError(f"a training of {self.global_rounds} global rounds")
        if len(set(self.proposers)) != len(self.proposers) or not set(self.proposers) <= set(range(len(self.owners))):
            raise ValueError(f"proposers {self.proposers} are not different owners of {len(self.owners)}")
        for name, members, cap in (
            ("owner", self.owners, self.max_owner_bid),
            ("base station", self.stations, self.max_station_bid),
        ):
            weighted = name == "owner" and self.owner_policy == "capability"
            for number, member in enumerate(members):
                _check_member(f"{name} {number}", member, weighted, cap, len(self.proposers))
        if any(owner.recorded for owner in self.owners):
            raise ValueError("owners record no updates")
        if self.claimant is not None:
            self._check_claimant(self.claimant)
        for number, station in enumerate(self.stations):
            if station.recorded and not (station.revealed or number == self.claimant):
                raise ValueError(f"base station {number} recorded without having revealed")
            if not 0 <= station.recorded <= self.global_rounds:
                raise ValueError(f"base station {number} recorded {station.recorded} of {self.global_rounds} rounds")
        self._check_contributions()

    def _check_claimant(self, claimant: int) -> None:
        if not 0 <= claimant < len(self.stations) or not self.stations[claimant].committed:
            raise ValueError(f"claimant {claimant} is not a base station that committed")
        if self.stations[claimant].revealed:
            raise ValueError(f"claimant {claimant} revealed: its bid is never opened")
        if not self.can_be_held:
            raise ValueError("a claimant was drawn in a round that cannot be held")

    def _check_contributions(self) -> None:
        if self.contributions and len(self.contributions) != len(self.stations):
            raise ValueError(f"{len(self.contributions)} contributions for {len(self.stations)} base stations")
        most = most_contribution_points(sum(station.committed for station in self.stations))
        for number, listed in enumerate(self.contributions):
            if listed is not None and not (0 <= listed <= most and self.stations[number].committed):
                raise ValueError(f"base station {number} cannot be listed with {listed} points")

    @property
    def live(self) -> tuple[bool, ...]:
        """Whether each model's proposer committed."""
        return tuple(self.owners[proposer].committed for proposer in self.proposers)

    @property
    def can_be_held(self) -> bool:
        """Whether enough members committed, and the proposer of a model: known when commits close."""
        committed = [sum(member.committed for member in side) for side in (self.owners, self.stations)]
        return committed[0] >= MIN_OWNERS and committed[1] >= MIN_STATIONS and any(self.live)

    def owner_lock(self, owner: Member) -> int:
        """What an owner locks: `maxOwnerBid * (1 + p)` and the bond."""
        return self.max_owner_bid * WEI_PER_GWEI * (1 + owner.points) + self.bond

    @property
    def station_lock(self) -> int:
        """What a base station locks: `maxStationBid`, the bond and the stake."""
        return self.max_station_bid * WEI_PER_GWEI + self.bond + self.stake


def _check_member(name: str, member: Member, weighted: bool, cap: int, models: int) -> None:
    if not 1 <= member.points <= MAX_POINTS or (not weighted and member.points != 1):
        raise ValueError(f"{name} cannot have {member.points} points")
    if not member.committed and member.recorded:
        raise ValueError(f"{name} recorded without having committed")
    if member.committed and member.revealed and len(member.bids) != models:
        raise ValueError(f"{name} revealed {len(member.bids)} bids for {models} models")
    if member.committed and member.revealed and not all(0 <= bid <= cap for bid in member.bids):
        raise ValueError(f"{name} bid outside 0 ... {cap}: {member.bids}")


@dataclass(frozen=True)
class Dues:
    """What the settlement of one member comes to, in wei.

    Always `payment = share + tax + slashed + forfeited - bonus`.

    Attributes:
        lock: What it had locked, the stake included.
        share: Signed: what an owner paid of its share; minus what a base station was due for all global rounds.
        tax: The tax that was collected.
        reward: What a base station was paid.
        slashed: The part of the bond that was collected.
        slash: Why; None if its bond is untouched.
        bonus: What it got back of all stakes, less its own.
        payment: What settlement took or, negative, gave. The claimant receives the lot besides.
    """

    lock: int
    share: int
    tax: int
    reward: int
    slashed: int
    slash: Slash | None
    bonus: int
    payment: int

    @property
    def forfeited(self) -> int:
        """The reward that a base station was due and did not earn."""
        return max(0, -self.share) - self.reward


@dataclass(frozen=True)
class RoundResult:
    """The accounting of a round.

    Attributes:
        status: As in `round.json`.
        selected: Index of the selected model, None without one.
        settlement: The mechanism's result over the committed members (owners first); None if the round was cancelled.
        owners: Dues by owner, joined or committed.
        stations: The same for base stations.
        upheld: Whether the contributions stand, and move the stakes.
        lot: All taxes that were collected: what the claimant receives.
        kept: What stays in the contract for good: all that was taken and went to nobody.
    """

    status: Status
    selected: int | None
    settlement: Settlement | None
    owners: tuple[Dues, ...]
    stations: tuple[Dues, ...]
    upheld: bool
    lot: int
    kept: int
