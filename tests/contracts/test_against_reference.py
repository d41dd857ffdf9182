"""Random rounds on chain against the reference, to the wei; and random lies, silences and saved work, which gain nothing.

Policies, stakes, silence, absence, partial work, aborts, both verdicts, cancellations before and after the draw.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Search
from hypothesis import strategies as st

from analysis.devnode.actors import seats
from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Seat, create_round
from analysis.mechanism import theta_numerator
from analysis.round_facts import Member, Round
from analysis.settlement import settle_round
from fl.market.terms import Deadlines, Policy, Role, RoundTerms, Stage, Status
from tests.analysis.round_strategies import bids, rounds
from tests.conftest import OWNERS, PHASE_SECONDS, STATIONS, untouched
from tests.support.assertions import assert_conserved
from tests.support.reference import assert_settles_like_reference
from tests.support.utility import utilities

POLICIES = {"equal": Policy.EQUAL, "capability": Policy.CAPABILITY}
THRESHOLDS = st.sampled_from((5_000, 6_667, 9_999))
ENOUGH = 2**120  # wei: the lock of the largest points under the largest cap, and more
LONGEST = 7  # global rounds; `test_audit.py` plays 256

# Theta can be each of these, and all between; the range of a single point makes it known before the draw.
SURPLUS_BPS = st.sampled_from((0, 1, 5_000, 9_999)) | st.integers(0, 9_999)
RANGES = st.tuples(SURPLUS_BPS, SURPLUS_BPS).map(lambda ends: (min(ends), max(ends)))

through_the_node = settings(
    deadline=None,
    phases=(Search.explicit, Search.reuse, Search.generate, Search.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_any_round__played_on_chain__settles_like_the_reference(deployment: Market) -> None:
    reached: Counter[str] = Counter()

    @settings(through_the_node, max_examples=100)
    @given(round_=rounds().map(shorter), surplus_bps=RANGES, threshold_bps=THRESHOLDS, data=st.data())
    def check(round_: Round, surplus_bps: tuple[int, int], threshold_bps: int, data: st.DataObject) -> None:
        with untouched(deployment):
            live = play(deployment, round_, surplus_bps, threshold_bps)
            settle_some(live, data)
            known = assert_settles_like_reference(live)
            assert_conserved(deployment)
            reached.update(outcomes(known.facts))
            # What was to be played is what was.
            drawn = replace(round_, theta_numerator=known.facts.theta_numerator)
            assert settle_round(known.facts) == settle_round(drawn), f"{known.facts} was played for {drawn}"

    check()
    assert_reached(reached, ROUND_OUTCOMES)


@pytest.mark.parametrize("kind", ["lie", "silence", "partial work"])
def test_any_member__lies_is_silent_or_works_less__gains_nothing_net_of_every_flow(
    deployment: Market, kind: str
) -> None:
    """The rest of the round stays as it is: members that are silent or absent, stakes, lists upheld or not."""
    reached: Counter[str] = Counter()

    @settings(through_the_node, max_examples=25)
    @given(truth=rounds(agreed=True).map(shorter), surplus_bps=SURPLUS_BPS, data=st.data())
    def check(truth: Round, surplus_bps: int, data: st.DataObject) -> None:
        truth = somebody_records(truth)
        members = [*truth.owners, *truth.stations]
        claimant = len(truth.owners) + (truth.claimant or 0)
        able = [i for i, m in enumerate(members) if m.revealed or (i == claimant and kind == "partial work")]
        if kind == "partial work":
            able = [i for i in able if i >= len(truth.owners) and members[i].recorded]
        number = data.draw(st.sampled_from(able), "member")
        changed = deviation(data, truth, number, kind)
        told, lied = (
            utility_on_chain(deployment, played, truth, surplus_bps, number)
            for played in (truth, with_member(truth, number, changed))
        )
        assert lied <= told, f"member {number} gains {lied - told} wei by {kind}: {changed}, not {members[number]}"
        reached.update({f"{kind} changes what it has": lied != told, "all the same": lied == told})

    check()
    assert reached[f"{kind} changes what it has"] >= 5, f"{kind} hardly ever made a difference: {reached}"


# ── what random rounds come to ──

# At least so many of a hundred.
ROUND_OUTCOMES = {
    "settled": 20,
    "nothing trained": 5,
    "aborted": 1,
    "cancelled": 10,
}


def outcomes(facts: Round) -> set[str]:
    """What a round has come to, in words."""
    result = settle_round(facts)
    dues = result.owners + result.stations
    drawn, settled = facts.claimant is not None, result.status == "settled"
    recorded = [station.recorded for station in facts.stations]
    found = {
        result.status: True,
        f"settled under {facts.owner_policy}": settled,
        "cancelled, could not be held": result.status == "cancelled" and not facts.can_be_held,
        "cancelled, never drawn": result.status == "cancelled" and facts.can_be_held and not drawn,
        "cancelled after the draw": result.status == "cancelled" and drawn,
        "nobody recorded": settled and not any(recorded),
        "partial work": settled and any(0 < count < facts.global_rounds for count in recorded),
        "the claimant works": settled and drawn and recorded[facts.claimant or 0] > 0,
        "lot": result.lot > 0,
        "upheld": result.upheld,
        "upheld with a stake": any(member.bonus for member in dues),
        "not upheld though listed": settled and bool(facts.contributions) and not result.upheld,
        "forfeit": any(member.forfeited for member in dues),
        "somebody never commits": any(not member.committed for member in facts.owners + facts.stations),
        "dead model": not all(facts.live),
    }
    return {name for name, came in found.items() if came} | {f"slashed for {m.slash}" for m in dues if m.slash}


def assert_reached(reached: Counter[str], wanted: dict[str, int]) -> None:
    missed = {name: f"{reached[name]} of {least}" for name, least in wanted.items() if reached[name] < least}
    assert not missed, f"too few rounds came to: {missed}; all: {dict(reached)}"


# ── members that do otherwise ──


def shorter(round_: Round) -> Round:
    """The same with as many global rounds as can be played quickly."""
    total = min(round_.global_rounds, LONGEST)

    def side(members: Sequence[Member]) -> tuple[Member, ...]:
        return tuple(replace(member, recorded=min(member.recorded, total)) for member in members)

    return replace(round_, global_rounds=total, owners=side(round_.owners), stations=side(round_.stations))


def somebody_records(round_: Round) -> Round:
    """With the claimant and the first that reveals at full work, so that whatever one does, somebody records."""
    stations, total = list(round_.stations), round_.global_rounds
    working = [j for j, station in enumerate(stations) if station.revealed][:1] + [round_.claimant or 0]
    for j in working:
        stations[j] = replace(stations[j], recorded=total)
    return replace(round_, stations=tuple(stations))


def deviation(data: st.DataObject, truth: Round, number: int, kind: str) -> Member:
    """What the member does instead."""
    owner = number < len(truth.owners)
    member = [*truth.owners, *truth.stations][number]
    if kind == "silence":
        return replace(member, revealed=False, recorded=0)
    if kind == "partial work":
        return replace(member, recorded=data.draw(st.integers(0, member.recorded - 1), "recorded"))
    cap = truth.max_owner_bid if owner else truth.max_station_bid
    return replace(member, bids=data.draw(bids(cap, len(truth.proposers)), "lie"))


def with_member(round_: Round, number: int, member: Member) -> Round:
    owners, stations = list(round_.owners), list(round_.stations)
    side, place = (owners, number) if number < len(owners) else (stations, number - len(owners))
    side[place] = member
    return replace(round_, owners=tuple(owners), stations=tuple(stations))


def utility_on_chain(
    deployment: Market, played: Round, truth: Round, surplus_bps: int, number: int
) -> int | Fraction:
    """What the round is worth to the member in truth, wei."""
    with untouched(deployment):
        live = play(deployment, played, (surplus_bps, surplus_bps), 5_000)
        true = {seat.name: member.bids for seat, member in facts_of(live, truth).items()}
        return utilities(live, truth=true)[live.members[number].name]


# ── on chain ──


def play(market: Market, round_: Round, surplus_bps: tuple[int, int], threshold_bps: int) -> LiveRound:
    """Does on chain what the facts say, up to where settlement is open; theta is drawn from that range."""
    policy = POLICIES[round_.owner_policy]
    terms = RoundTerms(
        max_owner_bid=round_.max_owner_bid,
        max_station_bid=round_.max_station_bid,
        bond=round_.bond,
        contribution_stake=round_.stake,
        deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
        owner_policy=policy,
        surplus_bps=surplus_bps if policy is Policy.EQUAL else (0, 0),
        threshold_bps=threshold_bps,
    )
    owners = _seats(market, Role.OWNER, OWNERS, round_.owners, len(round_.proposers))
    stations = _seats(market, Role.BASE_STATION, STATIONS, round_.stations, len(round_.proposers))
    claimant = None if round_.claimant is None else stations[round_.claimant]
    live = create_round(market, owners, stations, terms, proposers=round_.proposers, claimant=claimant)
    facts = facts_of(live, round_)

    def those(wanted: Callable[[Member], bool]) -> list[Seat]:
        return [seat for seat, member in facts.items() if wanted(member)]

    live.joined(global_rounds=round_.global_rounds).committed(but=those(lambda m: not m.committed))
    if claimant is None:
        market.chain.travel_to(terms.deadlines.draw if round_.can_be_held else terms.deadlines.commit)
        return live.over()
    live.drawn().revealed(but=those(lambda m: not m.revealed))
    if not round_.selected_in_time:
        return live.over().wait_for("select")
    live.selected()
    if Status(live.state.status) is not Status.TRAINING:
        return live.over()
    # The winner's own records move no money: it makes them in every other round.
    live.trained(recorded={seat: facts[seat].recorded for seat in stations}, guided=round_.global_rounds % 2 == 0)
    if not round_.reported:
        return live.aborted()
    listed = dict(zip(stations, round_.contributions, strict=False))
    live.reported({seat: points for seat, points in listed.items() if points is not None})
    return _voted(live, round_)


def _voted(live: LiveRound, round_: Round) -> LiveRound:
    """As few votes as it takes for a verdict, or one less; the last elector never votes where nobody needs it."""
    electors, claimed = live.electors, live.opening.claimed_accuracy_bps
    enough = live.terms.threshold_bps * len(electors) // 10_000 + 1
    punish, uphold = (enough if verdict else enough - 1 for verdict in (round_.punished, round_.upheld))
    votes = [live.vote(seat, 0 if i < punish else claimed, i < uphold) for i, seat in enumerate(electors)]
    live.market.send_all(votes[: max(punish, uphold)])
    return live.over().wait_for("vote")


def settle_some(live: LiveRound, data: st.DataObject) -> None:
    """Some together, in any order, and the claimant takes what there is; `assert_settles_like_reference` does the rest."""
    some = data.draw(st.lists(st.sampled_from(live.members), unique=True), "settled together")
    live.settle_many(some).send()
    for seat in live.stations:
        if live.stage(seat) is Stage.SETTLED:
            live.claim_lot(seat).send()


def facts_of(live: LiveRound, round_: Round) -> dict[Seat, Member]:
    return dict(zip(live.members, (*round_.owners, *round_.stations), strict=True))


def _seats(market: Market, role: Role, names: Sequence[str], members: Sequence[Member], models: int) -> list[Seat]:
    seated = seats(market, role, names, [member.bids for member in members], [member.points for member in members])
    for seat in seated:
        market.chain.set_balance(seat.account, ENOUGH)
    return seated
