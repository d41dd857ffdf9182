"""A round rebuilt from the contract's logs, and from nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fl.market.bids import unpack_bids
from fl.market.terms import Policy, Role


@dataclass(frozen=True)
class Event:
    """A decoded log of one round."""

    name: str
    values: Mapping[str, Any]


@dataclass
class ModelRecord:
    """A proposal; `live` once its proposer has committed."""

    proposer: str
    training_rounds: int
    live: bool = False


@dataclass(frozen=True)
class Settled:
    """What a settlement collected and paid, wei (`IHCFL.MemberSettled`)."""

    share: int
    tax: int
    slashed: int
    reward: int
    forfeited: int

    @property
    def payment(self) -> int:
        """What it took or, negative, gave."""
        return self.share + self.tax + self.slashed - self.reward


@dataclass
class MemberRecord:
    """A member's part in the round.

    Attributes:
        words: its revealed bids, packed; None before.
        updates: digest by epoch (base stations).
        points_reported: what the winner listed it with; None if it was not listed.
        rebate_paid: wei, once it was.
    """

    account: str
    role: Role
    points: int
    lock: int
    committed: bool = False
    words: tuple[int, ...] | None = None
    updates: dict[int, bytes] = field(default_factory=dict)
    points_reported: int | None = None
    settled: Settled | None = None
    rebate_paid: int | None = None

    def bids(self, models: int) -> list[int]:
        """Gwei for each model, zeros if it never revealed."""
        return [0] * models if self.words is None else unpack_bids(self.words, models)


@dataclass(frozen=True)
class Vote:
    """An elector's vote."""

    account: str
    punish: bool
    measured_accuracy_bps: int


@dataclass
class RoundRecord:
    """Everything that happened in a round.

    Attributes:
        status: "open", "cancelled", "nothing trained", "training", "reported" or "aborted".
        global_rounds: (model digest, updates root) by epoch.
        result: digest of the reported model, and the claimed accuracy (1/10,000).
    """

    round_id: int
    theta_numerator: int
    max_owner_bid: int
    max_base_bid: int
    bond: int
    owner_policy: Policy
    base_policy: Policy
    punish_threshold_bps: int
    status: str = "open"
    members: dict[str, MemberRecord] = field(default_factory=dict)
    models: list[ModelRecord] = field(default_factory=list)
    selected: int | None = None
    global_rounds: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    result: tuple[bytes, int] | None = None
    votes: list[Vote] = field(default_factory=list)

    def side(self, role: Role) -> list[MemberRecord]:
        """The members of a side, in the order in which they joined."""
        return [member for member in self.members.values() if member.role is role]

    def lock(self, role: Role, points: int) -> int:
        """What a member locks, wei (`IHCFL.lockOf`)."""
        raise NotImplementedError("the history of the second version is not ported yet")

    @property
    def winner(self) -> str | None:
        """The proposer of the selected model."""
        return None if self.selected is None else self.models[self.selected].proposer

    @property
    def punished(self) -> bool:
        """Votes for · 10,000 > threshold · electors; electors are the committed owners but the winner."""
        electors = sum(member.committed for member in self.side(Role.OWNER)) - 1
        votes_for = sum(vote.punish for vote in self.votes)
        return self.result is not None and votes_for * 10_000 > self.punish_threshold_bps * electors


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
            record = _created(event.values)
        else:
            _apply(record, event.name, event.values)
    if record is None:
        raise ValueError("there are no logs of this round")
    return record


def _created(v: Mapping[str, Any]) -> RoundRecord:
    params = v["params"]
    return RoundRecord(
        round_id=v["roundId"],
        theta_numerator=v["thetaNumerator"],
        max_owner_bid=params["maxOwnerBid"],
        max_base_bid=params["maxBaseBid"],
        bond=params["bond"],
        owner_policy=Policy(params["ownerPolicy"]),
        base_policy=Policy(params["basePolicy"]),
        punish_threshold_bps=params["punishThresholdBps"],
    )


def _apply(record: RoundRecord, name: str, v: Mapping[str, Any]) -> None:
    match name:
        case "Joined":
            role, points = Role(v["role"]), v["points"]
            record.members[v["member"]] = MemberRecord(v["member"], role, points, record.lock(role, points))
        case "ModelProposed":
            record.models.append(ModelRecord(v["proposer"], v["proposal"]["trainingRounds"]))
        case "BidCommitted":
            record.members[v["member"]].committed = True
            for model in record.models:
                model.live = model.live or model.proposer == v["member"]
        case "BidRevealed":
            record.members[v["member"]].words = tuple(v["bids"])
        case "ModelSelected":
            record.status, record.selected = "training", v["model"]
        case "NothingSelected":
            record.status = "nothing trained"
        case "RoundCancelled":
            record.status = "cancelled"
        case "GlobalRoundRecorded":
            record.global_rounds[v["epoch"]] = (bytes(v["modelDigest"]), bytes(v["updatesRoot"]))
        case "UpdateRecorded":
            record.members[v["station"]].updates[v["epoch"]] = bytes(v["updateDigest"])
        case "ContributionReported":
            record.members[v["station"]].points_reported = v["points"]
        case "ResultReported":
            record.status = "reported"
            record.result = (bytes(v["modelDigest"]), v["opening"]["claimedAccuracyBps"])
        case "TrainingAborted":
            record.status = "aborted"
        case "Voted":
            record.votes.append(Vote(v["elector"], v["punish"], v["measuredAccuracyBps"]))
        case "MemberSettled":
            record.members[v["member"]].settled = Settled(
                v["share"], v["tax"], v["slashed"], v["reward"], v["forfeited"]
            )
        case "RebatePaid":
            record.members[v["member"]].rebate_paid = v["amount"]
        case _:
            raise ValueError(f"the contract emitted {name}, which this reader does not know")
