"""Creators: a round among their own accounts, terms at every edge, phases of a second, and no privilege at all."""

from dataclasses import replace

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound, create_round
from fl.market.terms import GWEI, Deadlines, Policy, Role, RoundTerms, Status
from tests.conftest import OWNERS, STATIONS, actor, seats
from tests.support.assertions import DUST_A_MEMBER, assert_conserved, assert_settles_like_reference

MAX_CAP = 2**44 - 1
MAX_BOND = 2**89 - 1
MAX_POINTS = 2**32 - 1
RICH = 2**120  # wei: the largest lock and more
YEAR = 365 * 24 * 60 * 60


def cash_out(round_: LiveRound) -> int:
    """Everybody is settled, claims and withdraws; what all of them got, wei."""
    market, total = round_.market, 0
    round_.settled()
    for seat in round_.members:
        round_.claim_rebate(seat).send()
        free = market.free(seat.account)
        market.call("withdraw", free, sender=seat.account).send()
        total += free
    return total


@pytest.mark.parametrize(
    "ending", ["paid", "punished", "aborted", "nobody records", "owners silent", "stations silent", "never selected"]
)
def test_round_of_the_creators_own_accounts__however_played__takes_nothing_from_anybody_else(
    create_round: CreateRound, ending: str
) -> None:
    """Whatever they bid, record and vote among themselves, no more comes out than they put in."""
    honest = create_round(((31, 7), (29, 100), (11, 61))).committed()
    escrow, market = honest.state.escrow, honest.market
    own = create_round(
        ((100, 0), (0, 100), (100, 100)), ((0, 50), (50, 0), (50, 50)), base_policy=Policy.CONTRIBUTION, theta=None
    ).committed()
    put_in = sum(own.lock(seat) for seat in own.members)
    held = market.held
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
            if ending != "nobody records":
                own.reported({own.stations[0]: 999_999, own.stations[1]: 1, own.stations[2]: 0})
            own.voted(punish=own.electors if ending == "punished" else ())
    else:
        own.over()
    got_out = cash_out(own)
    assert put_in - DUST_A_MEMBER * len(own.members) < got_out <= put_in
    assert own.state.escrow == put_in - got_out, "and nothing but dust is left"
    assert honest.state.escrow == escrow, "the other round's funds have not been touched"
    assert market.held == held - got_out


@pytest.mark.parametrize("theta", [0, 1, 2**64 - 1])
@pytest.mark.parametrize("base_policy", Policy)
@pytest.mark.parametrize("owner_policy", [Policy.EQUAL, Policy.CAPABILITY])
@pytest.mark.parametrize("points", [(MAX_POINTS, 1, 1), (1, MAX_POINTS, MAX_POINTS)], ids=["one heavy", "two heavy"])
def test_terms_at_every_edge__largest_caps_bonds_points_and_bids__settle_like_the_reference(
    create_round: CreateRound,
    market: Market,
    points: tuple[int, ...],
    owner_policy: Policy,
    base_policy: Policy,
    theta: int,
) -> None:
    """Nothing that a creator may choose overflows a share, a term, a tax or a sum."""
    for name in (*OWNERS, *STATIONS):
        market.chain.set_balance(actor(name), RICH)
    round_ = create_round(
        ((MAX_CAP, 0, MAX_CAP), (MAX_CAP, MAX_CAP, 0), (0, MAX_CAP, MAX_CAP - 1)),
        ((0, MAX_CAP, 1), (MAX_CAP, 0, 0), (0, 0, MAX_CAP)),
        owner_points=points if owner_policy else None,
        station_points=points if base_policy is Policy.CAPABILITY else None,
        proposers=(0, 1, 2),
        owner_policy=owner_policy,
        base_policy=base_policy,
        max_owner_bid=MAX_CAP,
        max_base_bid=MAX_CAP,
        bond=MAX_BOND,
        punish_threshold_bps=9_999,
        theta=theta,
    )
    assert_settles_like_reference(round_.voted())


def test_phases_of_a_second__nobody_is_fast_enough__everybody_gets_its_lock_back(market: Market) -> None:
    """A creator may leave no block for the commits: whoever joined loses nothing by it."""
    terms = RoundTerms(
        max_owner_bid=100, max_base_bid=50, bond=200 * GWEI, deadlines=Deadlines.after(market.chain.now, 1)
    )
    round_ = create_round(
        market,
        seats(market, Role.OWNER, OWNERS, ((30,), (20,)), None),
        seats(market, Role.BASE_STATION, STATIONS, ((1,), (2,)), None),
        terms,
        proposers=(0,),
        theta=None,
        rooted=False,
    )
    round_.joined().wait_for("vote")
    round_.commit_bid(round_.owners[0]).reverts_with(
        "DeadlinePassed", roundId=round_.id, deadline=terms.deadlines.commit
    )
    assert round_.state.status == Status.CANCELLED
    for seat in round_.members:
        round_.settle(seat, bids=[0]).send()
        assert market.free(seat.account) == round_.lock(seat), "a proposer, too"
    assert round_.state.escrow == 0


def test_deadlines_at_the_end_of_their_40_bits__hold_to_the_second(market: Market, stranger: str) -> None:
    """The year 36812; the packed differences carry nothing into their neighbours."""
    last = 2**40 - 1
    with market.chain.snapshot():
        market.chain.travel_to(last - YEAR)
        times = [last - YEAR + 1, *(last - 5 + i for i in range(6))]
        terms = RoundTerms(max_owner_bid=1, max_base_bid=1, bond=GWEI, deadlines=Deadlines(*times))
        market.call("createRound", terms.encode(), sender=stranger).send()
        market.call("joinAndCommit", 1, 0, 1, [], [], bytes(32), sender=stranger, value=10**12).reverts_with(
            "PhaseNotOpen", roundId=1, opensAt=times[0]
        )
        market.call("revealBid", 1, [0], bytes(32), sender=stranger).reverts_with(
            "PhaseNotOpen", roundId=1, opensAt=last - 5
        )
        too_late = replace(terms, deadlines=replace(terms.deadlines, vote=last + 1))
        with pytest.raises(Exception, match="40 bits"):
            market.call("createRound", too_late.encode(), sender=stranger).send()
        state = market.view("roundOf", 1)
        assert (state.status, state.escrow, state.modelCount) == (Status.OPEN, 0, 0)


def test_creator__of_a_round_with_others_in_it__has_no_privilege(create_round: CreateRound, stranger: str) -> None:
    """Terms are fixed, nothing can be stopped, and its account is refused like any stranger's."""
    honest = create_round()
    market = honest.market
    created = market.call("createRound", honest.terms.encode(), sender=stranger).send().event("RoundCreated")
    assert created["creator"] == stranger
    round_ = LiveRound(
        market,
        created["roundId"],
        honest.terms,
        honest.owners,
        honest.stations,
        honest.proposers,
        None,
        honest.opening,
    ).trained()
    for function, arguments in {
        "propose": ((bytes(32), bytes(32), 1),),
        "commitBid": (bytes(32),),
        "revealBid": ([0], bytes(32)),
        "recordUpdate": (0, bytes(32)),
        "vote": (True, 0),
        "claimRebate": (),
        "recordGlobalRound": (0, bytes(32), bytes(32)),
        "reportContributions": ([], [], []),
        "reportResult": (bytes(32), round_.opening.encoded),
        "abortTraining": (round_.winner.sealed.words,),
        "settle": (round_.owners[0].account, round_.owners[0].sealed.words),
    }.items():
        call = round_.call(function, *arguments, sender=stranger)
        with pytest.raises(Exception, match="reverted"):
            call.returns()
    assert market.free(stranger) == 0
    assert_settles_like_reference(round_.voted())
    assert_conserved(market)
