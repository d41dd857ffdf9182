"""A round rebuilt from the contract's logs, and from nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fl.market.bids import unpack_bids
from fl.market.events import Event
from fl.market.terms import GWEI, Role, RoundTerms, Status

CONTRIBUTION_POINTS = 1_000_000
"""What listed contributions add up to if they count."""


@dataclass
class ModelRecord:
    """A proposal: the digests of its two texts, and `live` once its proposer has committed."""

    proposer: str
    global_rounds: int
    owners_digest: bytes = b""
    stations_digest: bytes = b""
    live: bool = False


@dataclass(frozen=True)
class Settled:
    """What a settlement collected and paid, wei (`IHCFL.MemberSettled`)."""

    share: int
    tax: int
    slashed: int
    reward: int
    forfeited: int
    bonus: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Settled":
        """From the log's values."""
        return cls(*(values[key] for key in ("share", "tax", "slashed", "reward", "forfeited", "bonus")))

    @property
    def payment(self) -> int:
        """What it took or, negative, gave."""
        return self.share + self.tax + self.slashed - self.reward - self.bonus


@dataclass
class MemberRecord:
    """A member's part in the round.

    Attributes:
        lock: wei.
        commitment: to its bids, 32 bytes; empty before.
        ordinal: a base station's number in the order of commits, from 1; 0: none.
        words: its revealed bids, packed; None before.
        updates: digest by global round (base stations).
        recorded_in: number of the block that has each of them, by global round.
        listed: the points that the winner listed it with; None if it did not.
        lot: wei that it was credited as claimant.
    """

    account: str
    role: Role
    points: int
    lock: int
    committed: bool = False
    commitment: bytes = b""
    ordinal: int = 0
    words: tuple[int, ...] | None = None
    updates: dict[int, bytes] = field(default_factory=dict)
    recorded_in: dict[int, int] = field(default_factory=dict)
    listed: int | None = None
    settled: Settled | None = None
    lot: int = 0

    @property
    def change(self) -> int:
        """Wei that the round has made it richer so far."""
        return self.lot - (0 if self.settled is None else self.settled.payment)

    def bids(self, models: int) -> list[int] | None:
        """Gwei for each model; None if it never revealed."""
        return None if self.words is None else unpack_bids(self.words, models)


@dataclass(frozen=True)
class Vote:
    """An elector's vote."""

    account: str
    measured_accuracy_bps: int
    uphold: bool


@dataclass
class RoundRecord:
    """Everything that happened in a round.

    Attributes:
        theta_numerator: θ · 2^64; None: not drawn.
        claimant: account; None: not drawn.
        members: by account, in the order in which they joined.
        global_rounds: (model digest, updates root) by global round.
        result: digest of the reported model, and the claimed accuracy (1/10,000).
        targets_digest: of the labels that it is reported for, 32 bytes; None: nothing is reported.
        since: Unix time of the block that brought the status.
        drawn_at: Unix time of the block that drew the claimant; 0: none did.
    """

    round_id: int
    terms: RoundTerms
    membership_root: bytes
    status: Status = Status.OPEN
    theta_numerator: int | None = None
    claimant: str | None = None
    members: dict[str, MemberRecord] = field(default_factory=dict)
    models: list[ModelRecord] = field(default_factory=list)
    selected: int | None = None
    global_rounds: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    result: tuple[bytes, int] | None = None
    votes: list[Vote] = field(default_factory=list)
    since: int = 0
    drawn_at: int = 0
    targets_digest: bytes | None = None

    def status_at(self, now: int) -> Status:
        """The status by a time: a deadline cancels a round before any call stores that (`Rounds._statusOf`).

        Args:
            now: Unix time of a block that has all of this in it.
        """
        deadlines = self.terms.deadlines
        if self.status is not Status.OPEN:
            return self.status
        not_drawn = self.claimant is None and now >= deadlines.draw
        not_held = now >= deadlines.commit and not self.can_be_held
        return Status.CANCELLED if now >= deadlines.select or not_drawn or not_held else Status.OPEN

    @property
    def can_be_held(self) -> bool:
        """Whether enough members have committed: two owners, three base stations, the proposer of a model."""
        owners, stations = (len(self.committed(role)) for role in (Role.OWNER, Role.BASE_STATION))
        return owners >= 2 and stations >= 3 and any(model.live for model in self.models)

    def side(self, role: Role) -> list[MemberRecord]:
        """The members of a side, in the order in which they joined."""
        return [member for member in self.members.values() if member.role is role]

    def committed(self, role: Role) -> list[MemberRecord]:
        """Those of a side that committed."""
        return [member for member in self.side(role) if member.committed]

    @property
    def winner(self) -> str | None:
        """The proposer of the selected model."""
        return None if self.selected is None else self.models[self.selected].proposer

    @property
    def contributions(self) -> dict[str, int]:
        """The points that the winner has listed, by base station's account; nothing of those that it did not list."""
        return {account: each.listed for account, each in self.members.items() if each.listed is not None}

    def sums(self) -> tuple[list[int], list[int]]:
        """Wei of the revealed bids for each model: values V, costs K."""
        count = len(self.models)
        values, costs = ([0] * count, [0] * count)
        for role, sums in ((Role.OWNER, values), (Role.BASE_STATION, costs)):
            for member in self.side(role):
                for model, bid in enumerate(member.bids(count) or ()):
                    sums[model] += bid * GWEI
        return values, costs

    @property
    def punished(self) -> bool:
        """Whether more electors than the threshold measured less than the claim allows."""
        if self.result is None:
            return False
        least = self.result[1] - self.terms.tolerance_bps
        return self._carried(sum(vote.measured_accuracy_bps < least for vote in self.votes))

    @property
    def upheld(self) -> bool:
        """Whether the listed contributions stand."""
        listed = sum(member.listed or 0 for member in self.side(Role.BASE_STATION))
        carried = self._carried(sum(vote.uphold for vote in self.votes))
        return self.result is not None and listed == CONTRIBUTION_POINTS and carried

    def _carried(self, votes_for: int) -> bool:
        """Votes for · 10,000 > threshold · electors; electors are the committed owners but the winner."""
        return votes_for * 10_000 > self.terms.threshold_bps * (len(self.committed(Role.OWNER)) - 1)

    @property
    def kept(self) -> int:
        """Wei that settlements took and the contract keeps: all but the taxes, which are the lot."""
        settled = [member.settled for member in self.members.values() if member.settled is not None]
        return sum(each.payment - each.tax for each in settled)


def rebuild(events: Iterable[Event]) -> RoundRecord:
    """A round from its logs, in the order of the chain.

    Raises:
        ValueError: the first log is not its creation, so logs are missing.
    """
    record: RoundRecord | None = None
    for event in events:
        if record is None:
            if event.name != "RoundCreated":
                raise ValueError(f"the logs begin with {event.name}: read them from the block that created the round")
            record = RoundRecord(
                event.values["roundId"], RoundTerms.decode(event.values["terms"]), event.values["membershipRoot"]
            )
        else:
            before = record.status
            _apply(record, event.name, event.values)
            if record.status is not before:
                record.since = event.time
            if event.name == "ClaimantDrawn":
                record.drawn_at = event.time
            elif event.name == "UpdateRecorded":
                record.members[event.values["station"]].recorded_in[event.values["globalRound"]] = event.block
    if record is None:
        raise ValueError("there are no logs of this round")
    return record


def _apply(record: RoundRecord, name: str, v: Mapping[str, Any]) -> None:
    members = record.members
    match name:
        case "Joined":
            role, points = Role(v["role"]), v["points"]
            members[v["member"]] = MemberRecord(v["member"], role, points, record.terms.lock(role, points))
        case "ModelProposed":
            proposal = v["proposal"]
            digests = (bytes(proposal.ownersDigest), bytes(proposal.stationsDigest))
            record.models.append(ModelRecord(v["proposer"], proposal.globalRounds, *digests))
        case "BidCommitted":
            member = members[v["member"]]
            if member.role is Role.BASE_STATION:
                member.ordinal = len(record.committed(Role.BASE_STATION)) + 1
            member.committed, member.commitment = True, bytes(v["commitment"])
            for model in record.models:
                model.live = model.live or model.proposer == v["member"]
        case "ClaimantDrawn":
            record.theta_numerator = v["thetaNumerator"]
            (record.claimant,) = (each.account for each in members.values() if each.ordinal == v["ordinal"])
        case "BidRevealed":
            members[v["member"]].words = tuple(v["bids"])
        case "ModelSelected":
            record.status, record.selected = Status.TRAINING, v["model"]
        case "NothingSelected":
            record.status = Status.NOTHING_TRAINED
        case "RoundCancelled":
            record.status = Status.CANCELLED
        case "GlobalRoundRecorded":
            record.global_rounds[v["globalRound"]] = (bytes(v["modelDigest"]), bytes(v["updatesRoot"]))
        case "UpdateRecorded":
            members[v["station"]].updates[v["globalRound"]] = bytes(v["updateDigest"])
        case "ContributionReported":
            members[v["station"]].listed = v["points"]
        case "ResultReported":
            record.status = Status.REPORTED
            record.result = (bytes(v["modelDigest"]), v["opening"].claimedAccuracyBps)
            record.targets_digest = bytes(v["opening"].targetsDigest)
        case "TrainingAborted":
            record.status = Status.ABORTED
        case "Voted":
            record.votes.append(Vote(v["elector"], v["measuredAccuracyBps"], bool(v["upholdContributions"])))
        case "MemberSettled":
            members[v["member"]].settled = Settled.of(v)
        case "LotClaimed":
            members[v["claimant"]].lot += v["amount"]
        case _:
            raise ValueError(f"the contract emitted {name}, which this reader does not know")
