"""Random rounds on chain against the reference, to the wei: all policies, draws, conduct, ends."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Seat, create_round
from analysis.mechanism import BASIS_POINTS, THETA_ONE, WEI_PER_GWEI
from analysis.round_facts import Member, Round
from fl.market.terms import Deadlines, Policy, Role, RoundTerms, Status
from tests.analysis.round_strategies import bids, rounds
from tests.conftest import OWNERS, PHASE_SECONDS, STATIONS, seats, untouched
from tests.support.assertions import assert_conserved
from tests.support.reference import assert_settles_like_reference
from tests.support.utility import utilities

MAX_ESCROW = 2**96 - 1  # wei
MOST_GLOBAL_ROUNDS = 7  # of those that the strategy draws: each costs a transaction a station

through_the_node = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@through_the_node
@given(round_=rounds())
def test_any_round__played_on_chain__settles_like_the_reference(deployment: Market, round_: Round) -> None:
    with untouched(deployment):
        live = play(deployment, round_)
        assert_settles_like_reference(live)
        assert_conserved(deployment)


@through_the_node
@given(round_=rounds(agreed=True), data=st.data())
def test_any_member__any_lie__gains_nothing_net_of_every_flow(
    deployment: Market, round_: Round, data: st.DataObject
) -> None:
    """The rest of the round stays as it is; the member does its duties whatever it bid, and others may not."""
    side = data.draw(st.sampled_from(("owners", "stations")), "side")
    number = data.draw(st.integers(0, len(getattr(round_, side)) - 1), "member")
    cap = round_.max_owner_bid if side == "owners" else round_.max_station_bid
    honest = dutiful(round_, side, number)
    truth = getattr(honest, side)[number].bids
    lie = data.draw(bids(cap, len(honest.proposers)), "lie")
    told = utility_on_chain(deployment, honest, side, number, truth)
    lied = utility_on_chain(deployment, with_member(honest, side, number, bids=lie), side, number, truth)
    assert lied <= told, f"{side}[{number}] gains {lied - told} wei by claiming {lie} instead of {truth}"


def dutiful(round_: Round, side: str, number: int) -> Round:
    """The same round, in which this member keeps every duty, nobody is listed, and the claimant records as well."""
    claimant = side == "stations" and number == round_.claimant
    duties = {"committed": True, "revealed": not claimant}
    if side == "stations":
        duties["recorded"] = round_.global_rounds
    round_ = with_member(replace(round_, contributions=()), side, number, **duties)
    assert round_.claimant is not None
    return with_member(round_, "stations", round_.claimant, recorded=round_.global_rounds)


def with_member(round_: Round, side: str, number: int, **changes: object) -> Round:
    members = list(getattr(round_, side))
    members[number] = replace(members[number], **changes)
    return replace(round_, **{side: tuple(members)})


def utility_on_chain(deployment: Market, round_: Round, side: str, number: int, truth: Sequence[int]) -> int:
    """True value (cost) of the outcome and all money that the round brings it, wei."""
    with untouched(deployment):
        live = play(deployment, round_, theta_spread_bps=0)
        member = (live.owners if side == "owners" else live.stations)[number]
        return utilities(live, truth={member.name: truth})[member.name]


def play(market: Market, round_: Round, *, theta_spread_bps: int = 1) -> LiveRound:
    """Does on chain what the facts say, up to where settlement is open.

    Theta is drawn from so wide a range beside theirs: of no width, it is the same however often the round is played.
    """
    rounds_played = min(round_.global_rounds, MOST_GLOBAL_ROUNDS)
    capability = round_.owner_policy == "capability"
    lo = 0 if capability else min(round_.theta_numerator * BASIS_POINTS // THETA_ONE, BASIS_POINTS - 1)
    terms = RoundTerms(
        max_owner_bid=round_.max_owner_bid,
        max_station_bid=round_.max_station_bid,
        bond=round_.bond,
        contribution_stake=round_.stake,
        deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
        owner_policy=Policy.CAPABILITY if capability else Policy.EQUAL,
        surplus_bps=(lo, lo if capability else min(lo + theta_spread_bps, BASIS_POINTS - 1)),
    )
    owners = _seats(market, Role.OWNER, OWNERS, round_.owners, len(round_.proposers))
    stations = _seats(market, Role.BASE_STATION, STATIONS, round_.stations, len(round_.proposers))
    locks = [terms.lock(seat.role, seat.points) for seat in (*owners, *stations)]
    assume(sum(locks) <= MAX_ESCROW)
    for seat, lock in zip((*owners, *stations), locks, strict=True):
        market.chain.set_balance(seat.account, 2 * lock + WEI_PER_GWEI)
    drawn = None if round_.claimant is None else stations[round_.claimant]
    live = create_round(market, owners, stations, terms, proposers=round_.proposers, claimant=drawn)
    facts = dict(zip(live.members, (*round_.owners, *round_.stations), strict=True))

    def those(wanted: Callable[[Member], bool]) -> list[Seat]:
        return [seat for seat, member in facts.items() if wanted(member)]

    live.joined(global_rounds=rounds_played).committed(but=those(lambda m: not m.committed))
    if drawn is None:
        market.chain.travel_to(terms.deadlines.draw)
        return live.over()
    live.drawn().revealed(but=those(lambda m: not m.revealed))
    if not round_.selected_in_time:
        return live.over().wait_for("select")
    live.selected()
    if Status(live.state.status) is not Status.TRAINING:
        return live.over()
    live.trained(recorded={seat: min(facts[seat].recorded, rounds_played) for seat in stations})
    if not round_.reported:
        return live.aborted()
    listed = dict(zip(live.stations, round_.contributions, strict=False))
    live.reported({seat: points for seat, points in listed.items() if points is not None})
    return live.voted(punish=live.electors if round_.punished else (), reject=() if round_.upheld else live.electors)


def _seats(market: Market, role: Role, names: Sequence[str], members: Sequence[Member], models: int) -> list[Seat]:
    rows = [member.bids or (1,) * models for member in members]
    return seats(market, role, names, rows, [member.points for member in members])
