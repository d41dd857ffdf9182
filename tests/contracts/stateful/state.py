"""The protocol's state in plain Python, as `contracts/protocol.md` tells it; the machine keeps it beside the contract.

Amounts come from the reference in `analysis`. Times are Unix seconds, bids gwei, other amounts wei.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from eth_utils import keccak

from analysis.devnode.market import Call
from analysis.round_facts import Member, RoundResult, Statement
from analysis.round_facts import Round as Facts
from analysis.settlement import is_punished, settle_round
from fl.market.bids import pack_bids
from fl.market.membership import Entry, MembershipTree
from fl.market.terms import Phase, Policy, Role, RoundTerms, Stage, Status
from tests.support.replay import POLICY_NAMES

HASH_BITS = 208  # of a hash, the top ones are kept


def kept(digest: bytes) -> int:
    """What the contract keeps of a hash."""
    return int.from_bytes(digest, "big") >> (256 - HASH_BITS)


def hash_of(words: Iterable[int]) -> bytes:
    """The hash of packed bids, 32 bytes."""
    return keccak(b"".join(word.to_bytes(32, "big") for word in words))


@dataclass(frozen=True)
class Model:
    """A proposed model; `digest` seals what its proposer claims."""

    proposer: str
    training_rounds: int
    digest: bytes


@dataclass
class Place:
    """A member's place in a round.

    Attributes:
        points: its allocation points.
        commitment: None until it commits.
        bids: None until it reveals.
        epochs: those it recorded an update of.
        listed: the points that the winner gave it, None if none.
        vote: for punishment or against it, None if it has not voted.
    """

    account: str
    role: Role
    points: int
    model: int | None = None
    commitment: bytes | None = None
    bids: tuple[int, ...] | None = None
    epochs: set[int] = field(default_factory=set)
    listed: int | None = None
    vote: bool | None = None
    settled: bool = False
    claimed: bool = False

    @property
    def committed(self) -> bool:
        return self.commitment is not None

    @property
    def revealed(self) -> bool:
        return self.bids is not None

    @property
    def silent(self) -> bool:
        return self.committed and not self.revealed

    @property
    def stage(self) -> Stage:
        if self.settled:
            return Stage.SETTLED if self.committed and not self.claimed else Stage.CLOSED
        if self.revealed:
            return Stage.REVEALED
        return Stage.COMMITTED if self.committed else Stage.JOINED


@dataclass
class Round:
    """A round.

    Attributes:
        entries: who may join.
        tree: over the entries, where the round has a root that is not made up.
        places: by account, in the order in which they joined.
        stored: the status that the last call left; time may have brought another, see `status`.
        epochs: those the winner recorded a global round of.
        escrow: wei.
    """

    id: int
    terms: RoundTerms
    theta: int
    entries: tuple[Entry, ...]
    tree: MembershipTree | None
    places: dict[str, Place] = field(default_factory=dict)
    models: list[Model] = field(default_factory=list)
    stored: Status = Status.OPEN
    selected: int | None = None
    epochs: set[int] = field(default_factory=set)
    escrow: int = 0

    # ── members ──

    def lists(self, entry: Entry, proof: Sequence[bytes]) -> bool:
        """Whether this proves that the entry is under the round's root."""
        return self.tree is not None and entry in self.entries and list(proof) == self.tree.proof(entry)

    def side(self, role: Role) -> list[Place]:
        return [place for place in self.places.values() if place.role is role]

    def committed(self, role: Role) -> list[Place]:
        return [place for place in self.side(role) if place.committed]

    def revealed(self, role: Role) -> list[Place]:
        return [place for place in self.side(role) if place.revealed]

    @property
    def recorders(self) -> list[Place]:
        return [place for place in self.side(Role.BASE_STATION) if place.epochs]

    @property
    def votes(self) -> list[bool]:
        return [place.vote for place in self.places.values() if place.vote is not None]

    @property
    def winner(self) -> str | None:
        return None if self.selected is None else self.models[self.selected].proposer

    @property
    def electors(self) -> list[Place]:
        return [place for place in self.committed(Role.OWNER) if place.account != self.winner]

    @property
    def live(self) -> list[bool]:
        return [self.places[model.proposer].committed for model in self.models]

    def policy(self, role: Role) -> Policy:
        return self.terms.owner_policy if role is Role.OWNER else self.terms.base_policy

    def weighted(self, role: Role) -> bool:
        return self.policy(role) is Policy.CAPABILITY

    @property
    def by_contribution(self) -> bool:
        return self.terms.base_policy is Policy.CONTRIBUTION

    def cap(self, role: Role) -> int:
        return self.terms.max_owner_bid if role is Role.OWNER else self.terms.max_base_bid

    def lock(self, place: Place) -> int:
        return self.terms.lock(place.role, place.points)

    def words_of(self, place: Place) -> list[int]:
        """The packed bids that settle a member: what anybody can read, zeros where it never revealed."""
        return pack_bids(place.bids or (0,) * len(self.models))

    # ── the clock ──

    @property
    def can_be_held(self) -> bool:
        return all(len(self.committed(role)) >= 2 for role in Role) and any(self.live)

    @property
    def all_revealed(self) -> bool:
        return not any(place.silent for place in self.places.values())

    def status(self, now: int) -> Status:
        """What has become of it by now: deadlines cancel without a call."""
        deadlines = self.terms.deadlines
        late = now >= deadlines.select or (now >= deadlines.commit and not self.can_be_held)
        return Status.CANCELLED if self.stored is Status.OPEN and late else self.stored

    def settlement_open(self, now: int) -> bool:
        status = self.status(now)
        if status is Status.REPORTED:
            return len(self.votes) == len(self.electors) or now >= self.terms.deadlines.vote
        return status in (Status.CANCELLED, Status.NOTHING_TRAINED, Status.ABORTED)

    def phase(self, now: int) -> Phase:
        status, deadlines = self.status(now), self.terms.deadlines
        if self.settlement_open(now):
            return Phase.SETTLE
        if status is Status.REPORTED:
            return Phase.VOTE
        if status is Status.TRAINING:
            return Phase.TRAIN if now < deadlines.train else Phase.REPORT
        if now < deadlines.join:
            return Phase.JOIN
        if now < deadlines.commit:
            return Phase.COMMIT
        return Phase.SELECT if self.all_revealed or now >= deadlines.reveal else Phase.REVEAL

    # ── money ──

    @property
    def all_settled(self) -> bool:
        return all(place.settled for place in self.places.values() if place.committed)

    @property
    def facts(self) -> Facts:
        """The round as the reference takes it."""
        owners, stations = self.side(Role.OWNER), self.side(Role.BASE_STATION)
        accounts = [owner.account for owner in owners]
        listed = tuple(station.listed for station in stations)
        return Facts(
            owners=tuple(_member(place) for place in owners),
            base_stations=tuple(_member(place) for place in stations),
            proposers=tuple(accounts.index(model.proposer) for model in self.models),
            theta_numerator=self.theta,
            max_owner_bid=self.terms.max_owner_bid,
            max_base_bid=self.terms.max_base_bid,
            bond=self.terms.bond,
            owner_policy=POLICY_NAMES[self.terms.owner_policy],  # type: ignore[arg-type]
            base_policy=POLICY_NAMES[self.terms.base_policy],  # type: ignore[arg-type]
            selected_in_time=self.stored not in (Status.OPEN, Status.CANCELLED),
            global_round_recorded=bool(self.epochs),
            reported=self.stored is Status.REPORTED,
            punished=is_punished(sum(self.votes), len(self.electors), self.terms.punish_threshold_bps),
            contributions=listed if any(points is not None for points in listed) else (),
        )

    @cached_property
    def outcome(self) -> RoundResult:
        """What the reference makes of it. Ask once the settlement is open: nothing can change it any more."""
        return settle_round(self.facts)

    def statement(self, place: Place) -> Statement:
        side = self.side(place.role)
        statements = self.outcome.owners if place.role is Role.OWNER else self.outcome.base_stations
        return statements[side.index(place)]

    def rebate(self, account: str) -> int:
        """What `claimRebate` would pay it; 0 where nothing is due."""
        place = self.places.get(account)
        return self.statement(place).rebate if place and self.rebate_due(account) else 0

    def rebate_due(self, account: str) -> bool:
        place = self.places.get(account)
        return place is not None and place.stage is Stage.SETTLED and self.all_settled


def _member(place: Place) -> Member:
    return Member(
        bids=place.bids or (),
        points=place.points,
        committed=place.committed,
        revealed=place.revealed,
        recorded=bool(place.epochs),
    )


@dataclass
class World:
    """Everything: the time, every account's free balance and ether, and the rounds by number.

    Attributes:
        refusing: accounts whose code refuses ether.
        reactions: what an account's code calls whenever it is paid.
    """

    now: int
    free: dict[str, int]
    ether: dict[str, int]
    rounds: dict[int, Round] = field(default_factory=dict)
    refusing: frozenset[str] = frozenset()
    reactions: dict[str, Call] = field(default_factory=dict)
