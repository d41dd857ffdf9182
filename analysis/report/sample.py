"""A finished round of any facts as a document, without a chain: for the benchmark of the page, and for its tests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from analysis.mechanism import CONTRIBUTION_ONE, WEI_PER_GWEI, most_contribution_points
from analysis.round_facts import Dues, Member, Round, RoundResult
from analysis.settlement import settle_round
from fl.market.events import Trace, Transaction
from fl.market.terms import Deadlines
from fl.record.document import (
    FORMAT,
    Caps,
    GlobalRoundEntry,
    MemberEntry,
    ModelEntry,
    RoundDocument,
    TrainingEntry,
    VoteEntry,
)

PHASE = 3_600
START = 1_790_000_000
CLAIMED, TOLERANCE, THRESHOLD = 0.9, 300, 5_000
GAS, GAS_PRICE = 60_000, WEI_PER_GWEI


def random_round(owners: int, stations: int, models: int, seed: int = 0, global_rounds: int = 3) -> Round:
    """A settled round of truthful members that do their duty, contributions upheld."""
    draw = Random(seed)
    claimant = draw.randrange(stations)

    def bids(most: int) -> tuple[int, ...]:
        return tuple(draw.randrange(most + 1) for _ in range(models))

    points = [CONTRIBUTION_ONE // stations] * stations
    points[0] += CONTRIBUTION_ONE - sum(points)
    return Round(
        owners=tuple(Member(bids(200)) for _ in range(owners)),
        stations=tuple(Member(bids(100), revealed=j != claimant, recorded=global_rounds) for j in range(stations)),
        proposers=tuple(range(models)),
        claimant=claimant,
        theta_numerator=draw.randrange(2**62, 2**63),
        max_owner_bid=200,
        max_station_bid=100,
        bond=400 * WEI_PER_GWEI,
        stake=20 * WEI_PER_GWEI,
        global_rounds=global_rounds,
        upheld=True,
        contributions=tuple(min(each, most_contribution_points(stations)) for each in points),
    )


def document_of_facts(round_: Round, labels: Sequence[str] = ("0", "1", "9")) -> RoundDocument:
    """The document of a round in which this happened; all settled, the lot claimed. Verdicts are by all electors.

    Args:
        round_: the facts.
        labels: that each model tells apart.
    """
    result = settle_round(round_)
    if result.selected is None:
        round_ = replace(round_, stations=tuple(replace(station, recorded=0) for station in round_.stations))
    accounts = [_hash("owner", i, 40) for i in range(len(round_.owners))]
    station_accounts = [_hash("station", j, 40) for j in range(len(round_.stations))]
    owners = tuple(
        _member(account, member, dues, False, 0)
        for account, member, dues in zip(accounts, round_.owners, result.owners, strict=True)
    )
    stations = tuple(
        _member(account, member, dues, j == round_.claimant, result.lot if j == round_.claimant else 0)
        for j, (account, member, dues) in enumerate(
            zip(station_accounts, round_.stations, result.stations, strict=True)
        )
    )
    document = RoundDocument(
        format=FORMAT,
        chain_id=31_337,
        contract=_hash("contract", 0, 40),
        round_id=1,
        theta_range=(0, 0) if round_.owner_policy == "capability" else (0, 9_999),
        theta_numerator=0 if round_.claimant is None else round_.theta_numerator,
        claimant=None if round_.claimant is None else station_accounts[round_.claimant],
        caps=Caps(round_.max_owner_bid, round_.max_station_bid),
        bond=round_.bond,
        contribution_stake=round_.stake,
        deadlines=Deadlines.after(START, PHASE),
        threshold=THRESHOLD,
        tolerance=TOLERANCE,
        policy=round_.owner_policy,
        status=result.status,
        selected=result.selected,
        pool=int(result.settlement.pool) if result.settlement else 0,
        models=_models(round_, accounts, labels),
        owners=owners,
        base_stations=stations,
        training=_training(round_, result),
        contributions=(round_.contributions if result.status == "settled" else ()) or (None,) * len(stations),
        votes=_votes(round_, result, accounts),
        upheld=result.upheld,
        punished=result.status == "settled" and round_.punished,
        kept=result.kept,
        transactions=(),
    )
    return replace(document, transactions=tuple(_transactions(document)))


def _hash(what: str, number: int, digits: int = 64) -> str:
    return "0x" + hashlib.sha256(f"{what} {number}".encode()).hexdigest()[:digits]


def _member(account: str, member: Member, dues: Dues, claimant: bool, lot: int) -> MemberEntry:
    opened = member.committed and member.revealed
    return MemberEntry(
        account=account,
        points=member.points,
        committed=member.committed,
        revealed=opened,
        claimant=claimant,
        recorded=member.recorded,
        bids=member.bids if opened else None,
        share=dues.share,
        tax=dues.tax,
        reward=dues.reward,
        forfeited=dues.forfeited,
        slashed=dues.slashed,
        bonus=dues.bonus,
        lot=lot,
        payment=dues.payment,
        balance_before=dues.lock,
        balance_after=dues.lock - dues.payment + lot,
    )


def _models(round_: Round, accounts: Sequence[str], labels: Sequence[str]) -> tuple[ModelEntry, ...]:
    def sums(side: Sequence[Member], model: int) -> int:
        return sum(each.bids[model] for each in side if each.committed and each.revealed) * WEI_PER_GWEI

    n = sum(station.committed for station in round_.stations)
    entries = []
    for model, proposer in enumerate(round_.proposers):
        value, cost = sums(round_.owners, model), sums(round_.stations, model)
        entries.append(
            ModelEntry(
                proposer=accounts[proposer],
                live=round_.live[model],
                targets=tuple(labels),
                global_rounds=round_.global_rounds,
                initial_digest=_hash("initial model", model),
                claimed_accuracy=CLAIMED,
                value=value,
                cost=cost,
                margin=((n - 1) * value - n * cost) // max(1, n - 1),
            )
        )
    return tuple(entries)


def _training(round_: Round, result: RoundResult) -> TrainingEntry | None:
    if result.status not in ("settled", "aborted"):
        return None
    final = 0.4 if round_.punished else 0.95
    return TrainingEntry(
        dataset="digits",
        model="small-cnn",
        initial_digest=_hash("initial model", result.selected or 0),
        result_digest=_hash("result", 0) if result.status == "settled" else "",
        global_rounds=tuple(
            GlobalRoundEntry(
                global_round=g,
                global_digest=_hash("global model", g),
                accuracy=final * (g + 1) / round_.global_rounds,
                loss=1 / (g + 1),
                updates_root=_hash("updates", g),
            )
            for g in range(round_.global_rounds)
        ),
        claimed_accuracy=CLAIMED,
        final_accuracy=final,
    )


def _votes(round_: Round, result: RoundResult, accounts: Sequence[str]) -> tuple[VoteEntry, ...]:
    if result.status != "settled" or result.selected is None:
        return ()
    winner = round_.proposers[result.selected]
    electors = [i for i, owner in enumerate(round_.owners) if owner.committed and i != winner]
    measured = 0.4 if round_.punished else 0.95
    return tuple(VoteEntry(accounts[i], measured, round_.upheld) for i in electors)


def _transactions(document: RoundDocument) -> list[Transaction]:
    """One for each log of the round, in the order of the protocol; a settlement of 50 members each."""
    made: list[Transaction] = []
    ends = document.deadlines

    def send(call: str, sender: str, time: int, *logs: Trace) -> None:
        place = len(made)
        made.append(
            Transaction(call, sender, _hash("transaction", place), place + 1, time, 0, GAS, GAS * GAS_PRICE, logs)
        )

    members, creator = document.members, document.contract
    committed = [member.account for member in members if member.committed]
    send("createRound", creator, START, Trace("RoundCreated", creator, None))
    for member in members:
        send("join", member.account, START, Trace("Joined", member.account, None))
    for number, model in enumerate(document.models):
        send("propose", model.proposer, START, Trace("ModelProposed", model.proposer, number))
    for account in committed:
        send("commitBid", account, ends.join, Trace("BidCommitted", account, None))
    if document.claimant is not None:
        send("drawClaimant", creator, ends.draw_opens, Trace("ClaimantDrawn", None, None))
    for member in members:
        if member.revealed:
            send("revealBid", member.account, ends.draw_opens, Trace("BidRevealed", member.account, None))
    winner = None if document.selected is None else document.models[document.selected].proposer
    if document.status == "nothing trained":
        send("selectModel", creator, ends.reveal, Trace("NothingSelected", None, None))
    elif winner is not None:
        send("selectModel", creator, ends.reveal, Trace("ModelSelected", winner, document.selected))
        for station in document.base_stations:
            for g in range(station.recorded):
                send("recordUpdate", station.account, ends.select, Trace("UpdateRecorded", station.account, g))
        for each in document.training.global_rounds if document.training else ():
            send("recordGlobalRound", winner, ends.select, Trace("GlobalRoundRecorded", winner, each.global_round))
        if document.status == "settled":
            listed = [
                Trace("ContributionReported", station.account, None)
                for station, points in zip(document.base_stations, document.contributions, strict=True)
                if points is not None
            ]
            if listed:
                send("reportContributions", winner, ends.train, *listed)
            send("reportResult", winner, ends.train, Trace("ResultReported", winner, None))
        else:
            send("abortTraining", creator, ends.report, Trace("TrainingAborted", winner, None))
    for vote in document.votes:
        send("vote", vote.account, ends.report, Trace("Voted", vote.account, None))
    for at in range(0, len(members), 50):
        logs = [Trace("MemberSettled", member.account, None) for member in members[at : at + 50]]
        send("settleMany", creator, ends.vote, *logs)
    if any(member.lot for member in members) and document.claimant is not None:
        send("claimLot", document.claimant, ends.vote, Trace("LotClaimed", document.claimant, None))
    return made
