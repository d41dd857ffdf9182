"""The naive contract moves the same money as the reference, to the wei: HCFL is measured against its equal."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from analysis.benchmarks.contract.naive import NaiveRound, deploy_naive
from analysis.benchmarks.contract.stage import contested_bids, stage
from analysis.devnode.chain import Receipt
from analysis.devnode.market import Market
from analysis.devnode.rounds import Seat
from analysis.round_facts import Member, Round
from analysis.settlement import settle_round
from fl.market.terms import Role
from tests.conftest import untouched

MODELS = 3
MEMBERS = 6  # a side


@dataclass(frozen=True)
class Play:
    """What members do not do, and what they bid; by index on their side."""

    owners: Sequence[tuple[int, ...]] = contested_bids(MODELS, MEMBERS).owners
    stations: Sequence[tuple[int, ...]] = contested_bids(MODELS, MEMBERS).stations
    uncommitted: frozenset[int] = frozenset()  # owners
    silent_owners: frozenset[int] = frozenset()
    silent_stations: frozenset[int] = frozenset()
    absent: frozenset[int] = frozenset()  # stations
    unguided: bool = False
    punished: bool = False


ABSENT_ALL = frozenset(range(MEMBERS))
WORTHLESS = ((1,) * MODELS,) * MEMBERS
PLAYS = {
    "everybody honest": Play(),
    "values rise by member": Play(owners=[(20_000 + 700 * o, 21_000 - 311 * o, 9_000) for o in range(MEMBERS)]),
    "costs rise by member": Play(stations=[(7_000 + 501 * s, 9_000 - 37 * s, 5_000) for s in range(MEMBERS)]),
    "an owner silent": Play(silent_owners=frozenset({1})),
    "the winner silent": Play(silent_owners=frozenset({0}), stations=((1_000,) * MODELS,) * MEMBERS),
    "a base station silent": Play(silent_stations=frozenset({2}), absent=frozenset({2})),
    "a base station absent": Play(absent=frozenset({3})),
    "a base station absent, no global round": Play(absent=frozenset({3}), unguided=True),
    "nobody records": Play(absent=ABSENT_ALL),
    "the winner punished": Play(punished=True, absent=frozenset({1})),
    "a proposer never commits": Play(uncommitted=frozenset({2})),
    "nothing is worth it": Play(owners=WORTHLESS),
    "nobody reveals": Play(silent_owners=ABSENT_ALL, silent_stations=ABSENT_ALL),
}


@pytest.fixture(scope="module")
def naive(deployment: Market) -> Iterator[Market]:
    """The naive contract, beside HCFL."""
    with untouched(deployment):
        yield deploy_naive(deployment.chain)


@pytest.fixture
def create_naive(deployment: Market, naive: Market) -> Iterator[Callable[[Play], NaiveRound]]:
    """Creates rounds of the naive contract."""
    with deployment.chain.snapshot():

        def create(play: Play) -> NaiveRound:
            like = stage(deployment, MODELS, MEMBERS)
            round_ = NaiveRound.like(naive, like)
            owners = tuple(replace(s, bids=b) for s, b in zip(round_.owners, play.owners, strict=True))
            stations = tuple(replace(s, bids=b) for s, b in zip(round_.stations, play.stations, strict=True))
            return replace(round_, owners=owners, stations=stations, proposers=owners[:MODELS])

        yield create


def played(round_: NaiveRound, play: Play) -> tuple[Receipt, Round]:
    """Play a round up to its settlement; and the facts of it for the reference."""
    market = round_.market
    market.send_all([round_.join(seat) for seat in round_.members])
    market.send_all([round_.propose(seat) for seat in round_.proposers])
    round_.wait_for("join")
    committing = [o for i, o in enumerate(round_.owners) if i not in play.uncommitted]
    market.send_all([round_.commit_bid(seat) for seat in [*committing, *round_.stations]])
    round_.wait_for("commit")
    shown = {seat: i not in play.silent_owners | play.uncommitted for i, seat in enumerate(round_.owners)}
    shown |= {seat: i not in play.silent_stations for i, seat in enumerate(round_.stations)}
    market.send_all([round_.reveal_bid(seat) for seat in round_.members if shown[seat]])
    round_.wait_for("reveal")
    selected = round_.select().send()
    recording = [s for i, s in enumerate(round_.stations) if i not in play.absent and shown[s]]
    trained = "ModelSelected" in selected.names
    if trained:
        winner = round_.proposers[selected.event("ModelSelected")["model"]]
        market.send_all([round_.record_update(seat) for seat in recording])
        if not play.unguided:
            round_.record_global_round(winner).send()
        round_.wait_for("train")
        round_.report_result(winner).send()
        electors = [owner for owner in committing if owner != winner]
        market.send_all([round_.vote(seat, punish=play.punished) for seat in electors])
    created = next(e for e in market.logs_of(round_.id) if e.name == "RoundCreated")

    def member(seat: Seat, committed: bool = True) -> Member:
        bids = seat.bids if shown[seat] else ()
        return Member(bids, 1, committed, committed and shown[seat], trained and seat in recording)

    facts = Round(
        owners=tuple(member(seat, seat in committing) for seat in round_.owners),
        base_stations=tuple(member(seat) for seat in round_.stations),
        proposers=tuple(range(MODELS)),
        theta_numerator=created.values["theta"],
        max_owner_bid=round_.max_owner_bid,
        max_base_bid=round_.max_base_bid,
        bond=round_.bond,
        owner_policy="equal",
        base_policy="equal",
        selected_in_time=True,
        global_round_recorded=trained and not play.unguided,
        reported=trained,
        punished=trained and play.punished,
        contributions=(),
    )
    return round_.settle().send(), facts


@pytest.mark.parametrize("name", PLAYS)
def test_naive__round_settled__pays_what_the_reference_says(
    create_naive: Callable[[Play], NaiveRound], name: str
) -> None:
    round_ = create_naive(PLAYS[name])
    receipt, facts = played(round_, PLAYS[name])
    result = settle_round(facts)
    expected = [*result.owners, *result.base_stations]
    settled = {event.values["member"]: event.values for event in receipt.events}
    assert len(settled) == len(round_.members)
    for seat, statement in zip(round_.members, expected, strict=True):
        paid = settled[seat.account]
        ours = (paid["share"], paid["tax"], paid["slashed"], paid["reward"], paid["forfeited"], paid["rebate"])
        share = statement.share if seat.role is Role.OWNER else 0
        theirs = (share, statement.tax, statement.slashed, statement.reward, statement.forfeited, statement.rebate)
        assert ours == theirs, f"{name}: {seat.name}"
        free = round_.market.free(seat.account)
        assert free == round_.lock(seat) - statement.payment + statement.rebate, f"{name}: {seat.name} has {free} wei"


def test_naive__settled_round__is_not_settled_again(create_naive: Callable[[Play], NaiveRound]) -> None:
    round_ = create_naive(Play())
    played(round_, Play())
    round_.settle().reverts_with("WrongPhase")
