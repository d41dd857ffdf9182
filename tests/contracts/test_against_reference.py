"""Random rounds on chain against the reference, to the wei: all policies, silence, absence, abort, punishment."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Seat, create_round
from analysis.mechanism import WEI_PER_GWEI
from analysis.round_facts import Member, Round
from fl.market.terms import Deadlines, Policy, Role, RoundTerms, Status
from tests.analysis.round_strategies import bids, rounds
from tests.conftest import OWNERS, PHASE_SECONDS, STATIONS, seats, untouched
from tests.support.assertions import assert_conserved, assert_settles_like_reference

POLICIES = {"equal": Policy.EQUAL, "capability": Policy.CAPABILITY, "contribution": Policy.CONTRIBUTION}

ENOUGH = 2**120  # wei: the lock of the largest points under the largest cap, and more

through_the_node = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@through_the_node
@given(round_=rounds())
def test_any_round__played_on_chain__settles_like_the_reference(deployment: Market, round_: Round) -> None:
    with untouched(deployment):
        live = play(deployment, round_)
        assert_settles_like_reference(live)
        assert_conserved(deployment)


@through_the_node
@given(round_=rounds(), data=st.data())
def test_any_member__any_misreport__gains_nothing(deployment: Market, round_: Round, data: st.DataObject) -> None:
    """The rest of the round stays as it is; the member keeps its word after the auction, whatever it bid."""
    honest = as_agreed(round_)
    side = data.draw(st.sampled_from(("owners", "base_stations")), "side")
    number = data.draw(st.integers(0, len(getattr(honest, side)) - 1), "member")
    cap = honest.max_owner_bid if side == "owners" else honest.max_base_bid
    truth = getattr(honest, side)[number].bids
    lie = data.draw(bids(cap, len(honest.proposers)), "lie")
    told = utility_on_chain(deployment, honest, side, number, truth)
    lied = utility_on_chain(deployment, with_bids(honest, side, number, lie), side, number, truth)
    assert lied <= told, f"{side}[{number}] gains {lied - told} wei by claiming {lie} instead of {truth}"


def as_agreed(round_: Round) -> Round:
    """The same bids with at least two committed members a side, all honest.

    Equal weights instead of contribution, under which truth is dominant in expectation only (mechanism.md, "Base
    stations' rewards").
    """

    def side(members: Sequence[Member], cap: int, station: bool) -> tuple[Member, ...]:
        models = len(round_.proposers)
        rows = [member if member.revealed else replace(member, bids=(cap // 3,) * models) for member in members]
        rows += [rows[0]] * (2 - len(rows))
        return tuple(replace(member, committed=True, revealed=True, recorded=station) for member in rows)

    return replace(
        round_,
        owners=side(round_.owners, round_.max_owner_bid, False),
        base_stations=side(round_.base_stations, round_.max_base_bid, True),
        base_policy="equal" if round_.base_policy == "contribution" else round_.base_policy,
        selected_in_time=True,
        global_round_recorded=True,
        reported=True,
        punished=False,
        contributions=(),
    )


def with_bids(round_: Round, side: str, number: int, row: tuple[int, ...]) -> Round:
    members = list(getattr(round_, side))
    members[number] = replace(members[number], bids=row)
    return replace(round_, **{side: tuple(members)})


def utility_on_chain(deployment: Market, round_: Round, side: str, number: int, truth: Sequence[int]) -> int:
    """True value (cost) of the outcome plus what the settlement released beyond the lock, wei."""
    with untouched(deployment):
        live = play(deployment, round_)
        member = (live.owners if side == "owners" else live.stations)[number]
        before = deployment.view("freeBalance", member.account)
        live.settle(member).send()
        money = deployment.view("freeBalance", member.account) - before - live.lock(member)
        state = live.state
        if state.status != Status.REPORTED:
            return int(money)
        worth = truth[state.selected] * WEI_PER_GWEI
        return int(money + (worth if side == "owners" else -worth))


def play(market: Market, round_: Round) -> LiveRound:
    """Does on chain what the facts say, up to where settlement is open."""
    terms = RoundTerms(
        max_owner_bid=round_.max_owner_bid,
        max_base_bid=round_.max_base_bid,
        bond=round_.bond,
        deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
        owner_policy=POLICIES[round_.owner_policy],
        base_policy=POLICIES[round_.base_policy],
    )
    owners = _seats(market, Role.OWNER, OWNERS, round_.owners, len(round_.proposers))
    stations = _seats(market, Role.BASE_STATION, STATIONS, round_.base_stations, len(round_.proposers))
    rooted = not (round_.owner_policy == "equal" and round_.base_policy == "equal")
    live = create_round(
        market,
        owners,
        stations,
        terms,
        proposers=round_.proposers,
        theta=round_.theta_numerator,
        rooted=rooted,
    )
    facts = dict(zip(live.members, (*round_.owners, *round_.base_stations), strict=True))

    def those(wanted: Callable[[Member], bool]) -> list[Seat]:
        return [seat for seat, member in facts.items() if wanted(member)]

    # A lone member under capability has no weight to speak of: its round is cancelled, and its reveal refused.
    policies = {Role.OWNER: round_.owner_policy, Role.BASE_STATION: round_.base_policy}
    committed = {role: sum(facts[seat].committed for seat in facts if seat.role is role) for role in Role}
    lone = [seat for seat in facts if policies[seat.role] == "capability" and committed[seat.role] < 2]

    live.joined().committed(but=those(lambda m: not m.committed))
    live.revealed(but=[*lone, *those(lambda m: not m.revealed)])
    if not round_.selected_in_time:
        return live.over().wait_for("select")
    live.selected()
    if Status(live.state.status) is not Status.TRAINING:
        return live.over()
    live.trained(but=those(lambda m: not m.recorded), guided=round_.global_round_recorded)
    if not round_.reported:
        return live.aborted()
    listed = dict(zip(live.stations, round_.contributions, strict=False))
    live.reported({seat: points for seat, points in listed.items() if points is not None})
    return live.voted(punish=live.electors if round_.punished else ())


def _seats(market: Market, role: Role, names: Sequence[str], members: Sequence[Member], models: int) -> list[Seat]:
    rows = [member.bids if member.revealed else (1,) * models for member in members]
    seated = seats(market, role, names, rows, [member.points for member in members])
    for seat in seated:
        market.chain.set_balance(seat.account, ENOUGH)
    return seated
