"""What the live page shows of a round: of what is public, and never of what is sealed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.report.words import anchor_of
from fl.market.events import Event
from fl.market.terms import GWEI, Phase, Role, RoundTerms, Status
from fl.record.history import MemberRecord, RoundRecord
from web.reader import RoundSeen

STATUSES = {
    Status.OPEN: "open",
    Status.TRAINING: "training",
    Status.REPORTED: "settled",
    Status.NOTHING_TRAINED: "nothing trained",
    Status.ABORTED: "aborted",
    Status.CANCELLED: "cancelled",
}

WAITS = {
    Phase.JOIN: "members lock funds and propose models",
    Phase.COMMIT: "members seal their bids",
    Phase.DRAW: "anyone may have θ and the claimant drawn",
    Phase.REVEAL: "members open their bids, the claimant's stays sealed",
    Phase.SELECT: "anyone may have the model selected",
    Phase.TRAIN: "base stations train and record, the winner averages",
    Phase.REPORT: "the winner reports its model and opens its claim",
    Phase.VOTE: "the other owners measure the model, and vote",
    Phase.SETTLE: "shares, rewards and taxes move, and what is left of each lock goes back",
}


@dataclass(frozen=True)
class PhaseView:
    """A phase: its name, when it closes (Unix time), and whether it is past or present."""

    name: str
    closes: int | None
    past: bool
    present: bool


@dataclass(frozen=True)
class MemberView:
    """What one member has done so far, in words; empty where it has not."""

    name: str
    anchor: str
    account: str
    points: int
    sealed: str
    opened: str
    recorded: str
    voted: str
    settled: str


@dataclass(frozen=True)
class ModelView:
    """A proposal: gwei of the values and costs that are opened."""

    number: int
    proposer: str
    live: bool
    global_rounds: int
    value: int
    cost: int
    selected: bool


@dataclass(frozen=True)
class RoundView:
    """A round now.

    Attributes:
        status, phase: in words.
        closes: when the phase ends, Unix time; None: it has no end.
        counts: what has been done so far, and of how much.
        global_rounds: for each how many base stations recorded it, of the `able` that may, and whether the winner did.
        curve: the training as it grew: Unix time, then the parts of all updates and of all global rounds that were
            recorded by then. What it comes to is off chain until the vote.
        accuracy: claimed, and measured by each elector, once they are public.
    """

    round_id: int
    status: str
    phase: str
    waits: str
    closes: int | None
    phases: tuple[PhaseView, ...]
    counts: tuple[tuple[str, int, int], ...]
    owners: tuple[MemberView, ...]
    base_stations: tuple[MemberView, ...]
    models: tuple[ModelView, ...]
    theta: str
    claimant: str
    global_rounds: tuple[tuple[int, int, bool], ...]
    curve: tuple[tuple[int, float, float], ...]
    able: int
    claimed: float | None
    measured: tuple[tuple[str, float], ...]


def view_of(seen: RoundSeen) -> RoundView:
    """A round as its page shows it."""
    record, state = seen.record, seen.state
    names = _names(record)
    owners, stations = (record.side(role) for role in (Role.OWNER, Role.BASE_STATION))
    able = [each for each in stations if each.words is not None or each.account == record.claimant]
    total = 0 if record.selected is None else record.models[record.selected].global_rounds
    recorded = Counter(number for each in stations for number in each.updates)
    values, costs = record.sums()
    return RoundView(
        round_id=record.round_id,
        status=_status(record, state.status, state.phase),
        phase=state.phase.name.lower(),
        waits=_waits(record, state.phase, state.status),
        closes=_closes(record.terms, state.phase),
        phases=_phases(record.terms, state.phase, state.status),
        counts=_counts(record, len(able), total),
        owners=tuple(_member(record, member, names) for member in owners),
        base_stations=tuple(_member(record, member, names) for member in stations),
        models=tuple(
            ModelView(
                number=number,
                proposer=names.get(model.proposer, ""),
                live=model.live,
                global_rounds=model.global_rounds,
                value=values[number] // GWEI,
                cost=costs[number] // GWEI,
                selected=number == record.selected,
            )
            for number, model in enumerate(record.models)
        ),
        theta="" if record.theta_numerator is None else f"{record.theta_numerator / 2**64:.4f}",
        claimant="" if record.claimant is None else names[record.claimant],
        global_rounds=tuple((number + 1, recorded[number], number in record.global_rounds) for number in range(total)),
        curve=_curve(seen.events, len(able) * total, total),
        able=len(able),
        claimed=None if record.result is None else record.result[1] / 10_000,
        measured=tuple((names[vote.account], vote.measured_accuracy_bps / 10_000) for vote in record.votes),
    )


def _waits(record: RoundRecord, phase: Phase, status: Status) -> str:
    members = record.members.values()
    if phase is Phase.SETTLE and all(member.settled is not None for member in members):
        return "all members are settled" if members else "nobody had joined"
    if phase is Phase.SETTLE and status is Status.CANCELLED:
        return "every lock goes back, but for bonds that are lost"
    return WAITS[phase]


def _curve(events: Sequence[Event], updates: int, rounds: int) -> tuple[tuple[int, float, float], ...]:
    points: dict[int, tuple[float, float]] = {}
    counts = Counter[str]()
    for event in events:
        counts[event.name] += 1
        if event.name in ("ModelSelected", "UpdateRecorded", "GlobalRoundRecorded"):
            # Of a second there is one point, the last.
            points[event.time] = (counts["UpdateRecorded"] / updates, counts["GlobalRoundRecorded"] / rounds)
    return tuple((time, *parts) for time, parts in points.items())


def _names(record: RoundRecord) -> dict[str, str]:
    return {
        member.account: f"{name} {number}"
        for role, name in ((Role.OWNER, "owner"), (Role.BASE_STATION, "base station"))
        for number, member in enumerate(record.side(role), 1)
    }


def _status(record: RoundRecord, status: Status, phase: Phase) -> str:
    if status is Status.REPORTED and phase is not Phase.SETTLE:
        return "reported"
    return "punished" if record.punished and phase is Phase.SETTLE else STATUSES[status]


def _closes(terms: RoundTerms, phase: Phase) -> int | None:
    ends = terms.deadlines
    return {
        Phase.JOIN: ends.join,
        Phase.COMMIT: ends.commit,
        Phase.DRAW: ends.draw,
        Phase.REVEAL: ends.reveal,
        Phase.SELECT: ends.select,
        Phase.TRAIN: ends.train,
        Phase.REPORT: ends.report,
        Phase.VOTE: ends.vote,
    }.get(phase)


def _phases(terms: RoundTerms, present: Phase, status: Status) -> tuple[PhaseView, ...]:
    over = status in (Status.CANCELLED, Status.NOTHING_TRAINED, Status.ABORTED)
    shown = [phase for phase in Phase if not over or phase <= Phase.SELECT or phase is Phase.SETTLE]
    return tuple(PhaseView(p.name.lower(), _closes(terms, p), p < present, p is present) for p in shown)


def _counts(record: RoundRecord, able: int, total: int) -> tuple[tuple[str, int, int], ...]:
    members = list(record.members.values())
    committed = [member for member in members if member.committed]
    counts = [("sealed", len(committed), len(members))] if members else []
    if record.claimant is not None:
        opened = sum(member.words is not None for member in members)
        counts.append(("opened", opened, len(committed) - 1))
    if record.selected is not None:
        counts.append(("recorded", sum(len(member.updates) for member in members), able * total))
        counts.append(("global rounds", len(record.global_rounds), total))
    if record.result is not None:
        counts.append(("voted", len(record.votes), len(record.committed(Role.OWNER)) - 1))
    if any(member.settled for member in members):
        counts.append(("settled", sum(member.settled is not None for member in members), len(members)))
    return tuple(counts)


def _member(record: RoundRecord, member: MemberRecord, names: dict[str, str]) -> MemberView:
    votes = {vote.account: vote for vote in record.votes}
    vote, bids = votes.get(member.account), member.bids(len(record.models))
    name = names[member.account]
    if member.account == record.claimant:
        opened = "stands aside"
    else:
        opened = "" if bids is None else ", ".join(f"{bid:,}" for bid in bids)
    return MemberView(
        name=name,
        anchor=f"live-{anchor_of(name)}",
        account=member.account,
        points=member.points,
        sealed="sealed" if member.committed else "",
        opened=opened,
        recorded=str(len(member.updates)) if member.role is Role.BASE_STATION and record.selected is not None else "",
        voted=""
        if vote is None
        else f"{vote.measured_accuracy_bps / 100:.2f} %, {'upholds' if vote.uphold else 'does not uphold'}",
        settled="" if member.settled is None else "settled",
    )
