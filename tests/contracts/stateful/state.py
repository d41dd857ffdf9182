"""A model of the protocol, written from `contracts/protocol.md`: what is true of the world, and what follows from it.

Amounts of a settled round come from the reference in `analysis`; the model itself decides who may do what and when.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from eth_utils import keccak

from analysis.devnode.market import Call
from analysis.mechanism import MIN_OWNERS, MIN_STATIONS
from analysis.round_facts import Dues, Member, RoundResult
from analysis.round_facts import Round as Facts
from analysis.settlement import exceeds_threshold, settle_round
from fl.market.bids import pack_bids
from fl.market.membership import Entry, MembershipTree
from fl.market.terms import Phase, Policy, Role, RoundTerms, Stage, Status
from tests.support.replay import POLICY_NAMES

SEALED_BITS = 182  # of a hash are kept


def kept(digest: bytes) -> int:
    """What a member's slot keeps of a hash."""
    return int.from_bytes(digest, "big") >> (256 - SEALED_BITS)


def hash_of(words: Sequence[int]) -> bytes:
    """The hash of packed bids, 32 bytes."""
    return keccak(b"".join(word.to_bytes(32, "big") for word in words))


@dataclass(frozen=True)
class Model:
    """A proposed model; `owners_digest` seals what its proposer claims."""

    proposer: str
    owners_digest: bytes
    stations_digest: bytes
    global_rounds: int


@dataclass(frozen=True)
class Vote:
    """An elector's: the accuracy that it measured, 1/10,000, and whether it upholds what the winner has listed."""

    accuracy_bps: int
    uphold: bool


@dataclass
class Place:
    """A member's place in a round; it stays here when the contract has settled and forgotten it.

    Attributes:
        points: an owner's capability points, 1 for a base station.
        ordinal: a committed base station's, from 1.
        commitment: None until it commits.
        bids: None until it reveals.
        recorded: how many global rounds it recorded: its updates, or as the winner the models.
        listed: the points that the winner gave it, None if none.
        vote: None if it has not voted.
    """

    account: str
    role: Role
    points: int
    model: int | None = None
    ordinal: int = 0
    commitment: bytes | None = None
    bids: tuple[int, ...] | None = None
    recorded: int = 0
    listed: int | None = None
    vote: Vote | None = None
    settled: bool = False

    @property
    def committed(self) -> bool:
        return self.commitment is not None

    @property
    def revealed(self) -> bool:
        return self.bids is not None

    @property
    def stage(self) -> Stage:
        if self.settled:
            return Stage.SETTLED
        if self.revealed:
            return Stage.REVEALED
        return Stage.COMMITTED if self.committed else Stage.JOINED


@dataclass
class Round:
    """A round.

    Attributes:
        entries: who may join.
        tree: over the entries; None where the root is no list's.
        root: of the membership list.
        places: by account, in the order in which they joined.
        stored: the status that the last call left; time may have brought another, see `status`.
        claimant: its account, None until it is drawn.
        theta: numerator, 0 until it is drawn.
        claimed_bps: the accuracy that the winner claimed, once it has reported.
        escrow: wei.
        lot: wei that have come in for the claimant and are not claimed.
    """

    id: int
    terms: RoundTerms
    entries: tuple[Entry, ...]
    tree: MembershipTree | None
    root: bytes
    places: dict[str, Place] = field(default_factory=dict)
    models: list[Model] = field(default_factory=list)
    stored: Status = Status.OPEN
    claimant: str | None = None
    theta: int = 0
    selected: int | None = None
    claimed_bps: int = 0
    escrow: int = 0
    lot: int = 0

    # ── members ──

    def admits(self, entry: Entry, proof: Sequence[bytes], terms_hash: bytes) -> bool:
        """Whether the proof shows that the entry is under the round's root, and the terms are the round's."""
        listed = self.tree is not None and entry in self.entries and list(proof) == self.tree.proof(entry)
        return listed and terms_hash == self.terms.hash

    def place(self, account: str) -> Place | None:
        """The member's place as the contract still knows it: whoever is settled is forgotten, but for the claimant."""
        place = self.places.get(account)
        return None if place and place.settled and account != self.claimant else place

    def side(self, role: Role) -> list[Place]:
        return [place for place in self.places.values() if place.role is role]

    def committed(self, role: Role) -> list[Place]:
        return [place for place in self.side(role) if place.committed]

    def revealed(self, role: Role) -> list[Place]:
        return [place for place in self.side(role) if place.revealed]

    @property
    def unsettled(self) -> list[Place]:
        return [place for place in self.places.values() if not place.settled]

    @property
    def silent(self) -> list[Place]:
        """Who still has a bid to reveal: the claimant has none."""
        places = self.places.values()
        return [p for p in places if p.committed and not p.revealed and p.account != self.claimant]

    @property
    def recorders(self) -> list[Place]:
        return [place for place in self.side(Role.BASE_STATION) if place.recorded]

    @property
    def finished(self) -> list[Place]:
        return [place for place in self.recorders if place.recorded == self.global_rounds]

    def trains(self, place: Place) -> bool:
        """Whether it is a base station that may record."""
        return place.role is Role.BASE_STATION and (place.revealed or place.account == self.claimant)

    @property
    def votes(self) -> list[Vote]:
        return [place.vote for place in self.places.values() if place.vote is not None]

    @property
    def votes_to_punish(self) -> int:
        return sum(vote.accuracy_bps + self.terms.tolerance_bps < self.claimed_bps for vote in self.votes)

    @property
    def votes_to_uphold(self) -> int:
        return sum(vote.uphold for vote in self.votes)

    @property
    def winner(self) -> str | None:
        return None if self.selected is None else self.models[self.selected].proposer

    @property
    def global_rounds(self) -> int:
        """Of the selected model, 0 without one."""
        return 0 if self.selected is None else self.models[self.selected].global_rounds

    @property
    def electors(self) -> list[Place]:
        return [place for place in self.committed(Role.OWNER) if place.account != self.winner]

    @property
    def live(self) -> list[bool]:
        return [self.places[model.proposer].committed for model in self.models]

    @property
    def weighted(self) -> bool:
        return self.terms.owner_policy is Policy.CAPABILITY

    def cap(self, role: Role) -> int:
        return self.terms.max_owner_bid if role is Role.OWNER else self.terms.max_station_bid

    def lock(self, place: Place) -> int:
        return self.terms.lock(place.role, place.points)

    def words_of(self, place: Place) -> list[int]:
        """The packed bids that settle a member: what anybody can read, zeros where it never revealed."""
        return pack_bids(place.bids or (0,) * len(self.models))

    # ── the clock ──

    @property
    def can_be_held(self) -> bool:
        owners, stations = (len(self.committed(role)) for role in Role)
        return owners >= MIN_OWNERS and stations >= MIN_STATIONS and any(self.live)

    @property
    def drawn(self) -> bool:
        return self.claimant is not None

    def status(self, now: int) -> Status:
        """What has become of it by now: deadlines cancel without a call."""
        deadlines = self.terms.deadlines
        late = (
            now >= deadlines.select
            or (now >= deadlines.draw and not self.drawn)
            or (now >= deadlines.commit and not self.can_be_held)
        )
        return Status.CANCELLED if self.stored is Status.OPEN and late else self.stored

    def settlement_open(self, now: int) -> bool:
        status = self.status(now)
        if status is Status.REPORTED:
            return len(self.votes) == len(self.electors) or now >= self.terms.deadlines.vote
        return status in (Status.CANCELLED, Status.NOTHING_TRAINED, Status.ABORTED)

    def can_settle(self, place: Place, now: int) -> bool:
        """Who never committed waits for nobody, a proposer among them for the draw."""
        if place.committed or self.settlement_open(now):
            return self.settlement_open(now)
        return now >= self.terms.deadlines.commit and (self.drawn or place.model is None)

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
        if not self.drawn:
            return Phase.DRAW
        return Phase.SELECT if not self.silent or now >= deadlines.reveal else Phase.REVEAL

    # ── money ──

    def bids_matter(self, place: Place) -> bool:
        """Whether a share or a tax follows from the member's bids, so that it is settled with these alone."""
        if not place.committed or place.account == self.claimant:
            return False
        if self.stored is Status.ABORTED:
            return place.recorded > 0 or place.account == self.winner
        return self.stored is Status.NOTHING_TRAINED or (self.stored is Status.REPORTED and bool(self.recorders))

    @property
    def facts(self) -> Facts:
        """The round as the reference takes it."""
        owners, stations = self.side(Role.OWNER), self.side(Role.BASE_STATION)
        owner_accounts, station_accounts = ([place.account for place in side] for side in (owners, stations))
        electors = len(self.electors)
        listed = tuple(station.listed for station in stations)
        return Facts(
            owners=tuple(_member(place) for place in owners),
            stations=tuple(_member(place) for place in stations),
            proposers=tuple(owner_accounts.index(model.proposer) for model in self.models),
            claimant=None if self.claimant is None else station_accounts.index(self.claimant),
            theta_numerator=self.theta,
            max_owner_bid=self.terms.max_owner_bid,
            max_station_bid=self.terms.max_station_bid,
            bond=self.terms.bond,
            stake=self.terms.contribution_stake,
            owner_policy=POLICY_NAMES[self.terms.owner_policy],
            selected_in_time=self.stored not in (Status.OPEN, Status.CANCELLED),
            global_rounds=self.global_rounds or 1,
            reported=self.stored is Status.REPORTED,
            punished=exceeds_threshold(self.votes_to_punish, electors, self.terms.threshold_bps),
            upheld=exceeds_threshold(self.votes_to_uphold, electors, self.terms.threshold_bps),
            contributions=listed if any(points is not None for points in listed) else (),
        )

    @cached_property
    def outcome(self) -> RoundResult:
        """What the reference makes of it. Ask once the settlement is open: nothing can change it any more."""
        return settle_round(self.facts)

    def payment(self, place: Place) -> int:
        """What settling it takes, wei; negative: what it gives. Of who never committed it may be asked early."""
        if not place.committed:
            return self.terms.bond if self.drawn and place.model is not None else 0
        return self.dues(place).payment

    def tax(self, place: Place) -> int:
        return self.dues(place).tax if place.committed else 0

    def dues(self, place: Place) -> Dues:
        side = self.side(place.role)
        dues = self.outcome.owners if place.role is Role.OWNER else self.outcome.stations
        return dues[side.index(place)]


def _member(place: Place) -> Member:
    return Member(
        bids=place.bids or (),
        points=place.points,
        committed=place.committed,
        revealed=place.revealed,
        recorded=place.recorded if place.role is Role.BASE_STATION else 0,
    )


@dataclass
class World:
    """Everything: the time, every account's free balance and ether, and the rounds by number.

    Attributes:
        refusing: addresses that no ether goes to: the zero address, and accounts whose code refuses it.
        reactions: what an account's code calls whenever it is paid.
        randao: of the newest block that a draw is in, 32 bytes.
    """

    now: int
    free: dict[str, int]
    ether: dict[str, int]
    rounds: dict[int, Round] = field(default_factory=dict)
    refusing: frozenset[str] = frozenset()
    reactions: dict[str, Call] = field(default_factory=dict)
    randao: bytes = bytes(32)
