"""The naive contract moves the same money as HCFL, to the wei: HCFL is measured against its equal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from analysis.benchmarks.contract.naive import NaiveRound, deploy_naive
from analysis.benchmarks.contract.stage import contested_bids, stage
from analysis.devnode.chain import Receipt
from analysis.devnode.market import Market
from analysis.devnode.rounds import GLOBAL_ROUNDS, LiveRound, Seat
from fl.market.terms import DRAW_DELAY, Stage
from tests.conftest import untouched

MODELS = 3
MEMBERS = 6  # a side
EVERYBODY = frozenset(range(MEMBERS))
CLAIMANT = MEMBERS - 2  # the base station that a staged round will draw
Rows = Sequence[tuple[int, ...]]
CONTESTED = contested_bids(MODELS, MEMBERS)


@dataclass(frozen=True)
class Play:
    """What members bid and do not do; by index on their side."""

    owners: Rows = CONTESTED.owners
    stations: Rows = CONTESTED.stations
    uncommitted: frozenset[int] = frozenset()  # owners
    silent_owners: frozenset[int] = frozenset()
    silent_stations: frozenset[int] = frozenset()
    missing: tuple[int, ...] = (0,) * MEMBERS  # global rounds that a base station does not record
    punished: bool = False
    drawn: bool = True
    selected: bool = True


PLAYS = {
    "everybody honest": Play(),
    "values rise by member": Play(owners=[(20_000 + 700 * o, 21_000 - 311 * o, 9_000) for o in range(MEMBERS)]),
    "costs rise by member": Play(stations=[(7_000 + 501 * s, 9_000 - 37 * s, 5_000) for s in range(MEMBERS)]),
    "an owner silent": Play(silent_owners=frozenset({1})),
    "the winner silent": Play(silent_owners=frozenset({0}), stations=((1_000,) * MODELS,) * MEMBERS),
    "a base station silent": Play(silent_stations=frozenset({2})),
    "a base station and the claimant record in part": Play(missing=(0, 1, 0, 2, 1, 3)),
    "nobody records": Play(missing=(GLOBAL_ROUNDS,) * MEMBERS),
    "the winner punished": Play(punished=True, missing=(0, 3, 0, 0, 0, 0)),
    "a proposer never commits": Play(uncommitted=frozenset({2})),
    "nothing is worth it": Play(owners=((1,) * MODELS,) * MEMBERS),
    "no base station reveals": Play(silent_owners=frozenset({1}), silent_stations=EVERYBODY),
    "not selected in time": Play(silent_owners=frozenset({1}), uncommitted=frozenset({2}), selected=False),
    "never drawn": Play(uncommitted=frozenset({2}), drawn=False),
}


@pytest.fixture
def naive(deployment: Market) -> Iterator[Market]:
    """The naive contract, beside HCFL."""
    with untouched(deployment):
        yield deploy_naive(deployment.chain)


def played(round_: LiveRound | NaiveRound, play: Play) -> None:
    """Play a round up to the end of its votes, on either contract."""
    market, owners, stations = round_.market, round_.owners, round_.stations
    market.send_all([round_.join(seat) for seat in round_.members])
    market.send_all([round_.propose(seat) for seat in round_.proposers])
    round_.wait_for("join")
    committing = [seat for i, seat in enumerate(owners) if i not in play.uncommitted]
    market.send_all([round_.commit_bid(seat) for seat in (*committing, *stations)])
    if play.drawn:
        round_.wait_for("commit", DRAW_DELAY)
        round_.send_draw()
        _decided(round_, play, committing)
    round_.wait_for("vote")


def _decided(round_: LiveRound | NaiveRound, play: Play, committing: Sequence[Seat]) -> None:
    """From the reveals on."""
    market, stations = round_.market, round_.stations
    silent = {round_.owners[i] for i in play.silent_owners} | {stations[i] for i in play.silent_stations}
    opening = [seat for seat in (*committing, *stations) if seat not in {*silent, stations[CLAIMANT]}]
    market.send_all([round_.reveal_bid(seat) for seat in opening])
    round_.wait_for("reveal")
    if not play.selected or play.silent_stations == EVERYBODY:
        return
    receipt = round_.select().send()
    if "ModelSelected" not in receipt.names:
        return
    winner = round_.proposers[receipt.event("ModelSelected")["model"]]
    round_.wait_for("select")
    for number, seat in enumerate(stations):
        recorded = 0 if seat in silent else GLOBAL_ROUNDS - play.missing[number]
        market.send_all([round_.record_update(seat, g) for g in range(recorded)])
    round_.record_global_round(winner).send()
    round_.wait_for("train")
    round_.report_result(winner).send()
    electors = [seat for seat in committing if seat != winner]
    market.send_all([round_.vote(seat, 0) if play.punished else round_.vote(seat) for seat in electors])


@pytest.mark.parametrize("name", PLAYS)
def test_naive__round_settled__pays_what_hcfl_pays(deployment: Market, naive: Market, name: str) -> None:
    play = PLAYS[name]
    ours = _with_bids(stage(deployment, MODELS, MEMBERS), play)
    with deployment.chain.snapshot():
        played(ours, play)
        paid = {seat: _amounts(receipt) for seat, receipt in ours.over().settled().items()}
        if ours.stage(ours.stations[CLAIMANT]) is Stage.SETTLED:
            ours.claim_lot(ours.stations[CLAIMANT]).send()
        free = {seat: deployment.free(seat.account) for seat in ours.members}

    theirs = NaiveRound.like(naive, ours)
    played(theirs, play)
    receipt = theirs.settle().send()
    assert len(paid) == len(ours.members)
    assert {event.values["member"]: _listed(event.values) for event in receipt.events[:-1]} == {
        seat.account: amounts for seat, amounts in paid.items()
    }, name
    assert {seat: naive.view("freeBalance", seat.account) for seat in ours.members} == free, name


def _with_bids(round_: LiveRound, play: Play) -> LiveRound:
    """The round with other bids: they are nobody's business before the commitments."""

    def seated(seats: Sequence[Seat], rows: Rows) -> tuple[Seat, ...]:
        return tuple(replace(seat, bids=row) for seat, row in zip(seats, rows, strict=True))

    owners, stations = seated(round_.owners, play.owners), seated(round_.stations, play.stations)
    return LiveRound(
        round_.market,
        round_.id,
        round_.terms,
        owners,
        stations,
        owners[:MODELS],
        round_.tree,
        round_.opening,
        stations[CLAIMANT],
    )


def _amounts(receipt: Receipt) -> tuple[int, ...]:
    return _listed(receipt.event("MemberSettled"))


def _listed(values: dict[str, int]) -> tuple[int, ...]:
    return tuple(values[name] for name in ("share", "tax", "slashed", "reward", "forfeited"))


def test_naive__settled_round__is_not_settled_again(deployment: Market, naive: Market) -> None:
    round_ = NaiveRound.like(naive, stage(deployment, MODELS, MEMBERS))
    played(round_, Play())
    round_.settle().send()
    round_.settle().reverts_with("Refused")
