"""Creators: a round among their own accounts, terms at every edge, phases too short to call in, and no privilege."""

from dataclasses import astuple, replace
from itertools import accumulate

import pytest

from analysis.devnode.actors import actor
from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Deadlines, Policy, RoundTerms, Status
from tests.conftest import OWNERS, STATIONS
from tests.support.assertions import assert_conserved
from tests.support.reference import assert_settles_like_reference

MAX_CAP = 2**44 - 1
MAX_BOND = (2**54 - 1) * GWEI
MAX_STAKE = MAX_CAP * GWEI
MAX_POINTS = 2**32 - 1
RICH = 2**120  # wei: the largest lock and more
YEAR = 365 * 24 * 60 * 60
ROOT = b"\x11" * 32


def cash_out(round_: LiveRound) -> int:
    """Everybody is settled, claims and withdraws; what all of them got, wei."""
    market, total = round_.market, 0
    round_.settled()
    if round_.state.claimant:
        round_.claim_lot().send()
    for seat in round_.members:
        free = market.free(seat.account)
        market.call("withdraw", free, seat.account, sender=seat.account).send()
        total += free
    return total


@pytest.mark.parametrize(
    "ending",
    [
        "paid",
        "upheld",
        "punished",
        "aborted",
        "nobody records",
        "owners silent",
        "stations silent",
        "never selected",
        "never drawn",
    ],
)
def test_round_of_the_creators_own_accounts__however_played__takes_nothing_from_anybody_else(
    create_round: CreateRound, ending: str
) -> None:
    """Whatever they bid, record and vote among themselves, no more comes out than they put in."""
    honest = create_round(((31, 7), (29, 100), (11, 61))).committed()
    escrow, market = honest.state.escrow, honest.market
    own = create_round(
        ((100, 0), (0, 100), (100, 100)),
        ((0, 50), (50, 0), (50, 50)),
        contribution_stake=7 * GWEI,
        surplus_bps=(0, 9_999),
    ).committed()
    put_in = sum(own.lock(seat) for seat in own.members)
    held = market.held
    if ending == "never drawn":
        own.over().wait_for("reveal")
    else:
        own.drawn()
        silent = {"owners silent": own.owners, "stations silent": own.stations}.get(ending, ())
        own.revealed(but=silent)
        if ending == "never selected":
            own.over().wait_for("select")
        else:
            own.selected()
    if own.state.status == Status.TRAINING:
        own.trained(but=own.stations if ending == "nobody records" else ())
        if ending == "aborted":
            own.aborted()
        else:
            points = (666_666, 333_334, 0) if ending == "upheld" else (1, 2, 3)
            own.reported(dict(zip(own.stations, points, strict=True)))
            own.voted(punish=own.electors if ending == "punished" else ())
    else:
        own.over()
    got_out = cash_out(own)
    assert 0 < got_out <= put_in
    assert own.state.escrow == put_in - got_out, "what is kept stays in the contract"
    assert honest.state.escrow == escrow, "the other round's funds have not been touched"
    assert market.held == held - got_out


# Policy, points, owners' cap, range of theta. The largest points and the largest cap together are more than a round can
# hold (../test_join.py): each with as much of the other as fits.
EDGES: list[tuple[Policy, tuple[int, ...] | None, int, tuple[int, int]]]
EDGES = [(Policy.EQUAL, None, MAX_CAP, surplus) for surplus in ((0, 0), (0, 9_999), (9_999, 9_999))]
EDGES += [(Policy.CAPABILITY, points, MAX_CAP, (0, 0)) for points in ((1, 1, 1), (1, 9, 5))]
EDGES += [(Policy.CAPABILITY, points, 2**33 - 1, (0, 0)) for points in ((MAX_POINTS, 1, 1), (1, MAX_POINTS, 1))]
EDGES += [(Policy.CAPABILITY, (1, MAX_POINTS, MAX_POINTS), 2**32 - 1, (0, 0))]


@pytest.mark.parametrize(("policy", "points", "cap", "surplus"), EDGES, ids=str)
def test_terms_at_every_edge__largest_caps_bonds_points_and_bids__settle_like_the_reference(
    create_round: CreateRound,
    market: Market,
    policy: Policy,
    points: tuple[int, ...] | None,
    cap: int,
    surplus: tuple[int, int],
) -> None:
    """Nothing that a creator may choose overflows a share, a tax or a sum."""
    for name in (*OWNERS, *STATIONS):
        market.chain.set_balance(actor(name), RICH)
    round_ = create_round(
        ((cap, 0, cap), (cap, cap, 0), (0, cap, cap - 1)),
        ((0, MAX_CAP, 1), (MAX_CAP, 0, 0), (0, 0, MAX_CAP)),
        owner_points=points,
        proposers=(0, 1, 2),
        owner_policy=policy,
        max_owner_bid=cap,
        max_station_bid=MAX_CAP,
        bond=MAX_BOND,
        contribution_stake=MAX_STAKE,
        threshold_bps=9_999,
        surplus_bps=surplus,
        claimant=None,
    )
    round_.selected()
    if round_.state.status == Status.TRAINING:
        round_.trained().reported(dict(zip(round_.stations, (666_666, 333_334, 0), strict=True))).voted()
    else:
        round_.over()
    assert_settles_like_reference(round_)


def phases(market: Market, lengths: tuple[int, ...]) -> Deadlines:
    return Deadlines(*(market.chain.now + end for end in accumulate(lengths)))


SHORTEST = (60, 60, 240, 60, 60, 60, 60)


def test_phases_too_short_for_a_block__refused__each_to_the_second(market: Market, stranger: str) -> None:
    """A creator could else leave nobody a block to commit, reveal, record or report in, and have the silent slashed."""
    for index, shortest in enumerate(SHORTEST):
        lengths = (*SHORTEST[:index], shortest - 1, *SHORTEST[index + 1 :])
        terms = RoundTerms(max_owner_bid=100, max_station_bid=50, bond=200 * GWEI, deadlines=phases(market, lengths))
        deadline = astuple(terms.deadlines)[index]
        market.call("createRound", terms.encode(), ROOT, sender=stranger).reverts_with(
            "InvalidDeadline", index=index, deadline=deadline, earliest=deadline + 1
        )


def test_deadlines_at_the_end_of_their_40_bits__hold_to_the_second(market: Market, stranger: str) -> None:
    """The year 36812; the packed differences carry nothing into their neighbours."""
    last = 2**40 - 1
    with market.chain.snapshot():
        market.chain.travel_to(last - YEAR)
        times = [last - YEAR + 60, last - 480, last - 240, last - 180, last - 120, last - 60, last]
        terms = RoundTerms(max_owner_bid=1, max_station_bid=1, bond=GWEI, deadlines=Deadlines(*times))
        market.call("createRound", terms.encode(), ROOT, sender=stranger).send()
        market.call("joinAndCommit", 1, terms.hash, 1, 1, [], bytes(32), sender=stranger, value=10**12).reverts_with(
            "PhaseNotOpen", roundId=1, opensAt=times[0]
        )
        market.call("drawClaimant", 1, sender=stranger).reverts_with("PhaseNotOpen", roundId=1, opensAt=last - 480 + 60)
        assert RoundTerms.decode(market.view("termsOf", 1).terms) == terms
        too_late = replace(terms, deadlines=replace(terms.deadlines, vote=last + 1))
        with pytest.raises(Exception, match="40 bits"):
            market.call("createRound", too_late.encode(), ROOT, sender=stranger).send()
        state = market.view("roundOf", 1)
        assert (state.status, state.escrow, state.modelCount) == (Status.OPEN, 0, 0)


def test_creator__of_a_round_with_others_in_it__has_no_privilege(create_round: CreateRound, stranger: str) -> None:
    """Terms are fixed, nothing can be stopped, and its account is refused like any stranger's."""
    honest = create_round()
    market = honest.market
    creation = market.call("createRound", honest.terms.encode(), honest.tree.root, sender=stranger)
    created = creation.send().event("RoundCreated")
    assert created["creator"] == stranger
    round_ = LiveRound(
        market,
        created["roundId"],
        honest.terms,
        honest.owners,
        honest.stations,
        honest.proposers,
        honest.tree,
        honest.opening,
        honest.to_be_drawn,
    ).trained()
    for function, arguments in {
        "join": (honest.terms.hash, 0, 1, honest.proof(honest.owners[0])),
        "propose": ((bytes(32), bytes(32), 1),),
        "commitBid": (bytes(32),),
        "drawClaimant": (),
        "revealBid": ([0], bytes(32)),
        "recordUpdate": (0, bytes(32)),
        "vote": (0, True),
        "claimLot": (),
        "recordGlobalRound": (0, bytes(32), bytes(32)),
        "reportContributions": ([], []),
        "reportResult": (bytes(32), round_.opening.encoded),
        "abortTraining": (),
        "settle": (round_.owners[0].account, round_.owners[0].sealed.words),
    }.items():
        call = round_.call(function, *arguments, sender=stranger)
        with pytest.raises(Exception, match="reverted"):
            call.returns()
    assert market.free(stranger) == 0
    assert_settles_like_reference(round_.voted())
    assert_conserved(market)
