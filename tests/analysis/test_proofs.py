"""What `analysis/PROOFS.md` says in numbers: its examples, and each step of its proofs on random rounds."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.figures.search import RULES, Conduct, first, gain_of, ours, utility, with_conduct
from analysis.mechanism import THETA_ONE, WEI_PER_GWEI, settle
from analysis.round_facts import Member, Round
from tests.analysis.figures.test_search import TRUTH
from tests.analysis.page_formulas import claims_at, estimate_at, exact_shares, rounded_shares, score_of
from tests.analysis.round_strategies import Auction, auctions, bids, with_claimant

examples = settings(deadline=None)
HALF = THETA_ONE // 2


@st.composite
def auctions_and_a_member(draw: st.DrawFn) -> tuple[Auction, int]:
    """Not the claimant, to whom it does not matter what it bids."""
    auction = draw(auctions())
    members = [member for member in range(auction.members) if not auction.is_claimant(member)]
    return auction, draw(st.sampled_from(members))


# ── the steps ──


@examples
@given(auctions())
def test_step__shares__sum_to_the_pool_on_both_sides_before_rounding(auction: Auction) -> None:
    theta = Fraction(auction.theta_numerator, THETA_ONE)
    for model in range(len(auction.live)):
        shares, rewards = exact_shares(auction, model)
        estimate, value = estimate_at(auction, model), sum(claims_at(auction, model)[0])
        assert sum(shares) == sum(rewards) == estimate + theta * (value - estimate)


@examples
@given(auctions_and_a_member(), st.data())
def test_step__utility__is_the_score_less_a_number_that_no_own_bid_moves(
    case: tuple[Auction, int], data: st.DataObject
) -> None:
    """`U_i = floor((E_-i^x + w u_i^x - h_i) / w)`, with the same `h_i` for every bid, to the wei."""
    auction, member = case
    weight, true = auction.weight(member), auction.signed_claims(member)
    others = [score_of(auction, m) - weight * true[m] for m in range(len(auction.live))]
    shares = [rounded_shares(auction, model)[member] for model in range(len(auction.live))]
    enjoyed = [rest + weight * share for rest, share in zip(others, shares, strict=True)]
    pivot = max([0, *(a for a, live in zip(enjoyed, auction.live, strict=True) if live)])
    lie = data.draw(bids(auction.cap(member), len(auction.live)))
    for claimed in (auction, auction.with_bids(member, lie)):
        settled = claimed.settle()
        reached = 0 if settled.selected is None else others[settled.selected] + weight * true[settled.selected]
        assert auction.utility(member, settled) == floor(Fraction(reached - pivot, weight))


@examples
@given(auctions())
def test_step__share_beyond_the_cap__only_where_the_others_enjoy_nothing(auction: Auction) -> None:
    """So that the cut hardly shows: there `E < 0`, and `A_i <= 0` uncut and rounded up, but for huge points."""
    points = auction.owner_points or (1,) * len(auction.owner_bids)
    cap = auction.max_owner_bid * WEI_PER_GWEI
    for model in range(len(auction.live)):
        values, _ = claims_at(auction, model)
        for owner, share in enumerate(exact_shares(auction, model)[0]):
            if share > points[owner] * cap:
                weight, score = auction.weight(owner), score_of(auction, model)
                assert estimate_at(auction, model) > sum(points) * cap
                assert score < 0
                assert score - weight * (values[owner] - share) < 0
                if sum(points) * weight <= WEI_PER_GWEI:
                    assert score - weight * (values[owner] - ceil(share)) <= 0


@examples
@given(auctions_and_a_member())
def test_step__truthful_utility__at_least_its_worst_live_model_at_its_share(case: tuple[Auction, int]) -> None:
    auction, member = case
    claims = auction.signed_claims(member)
    worst = [claims[model] - rounded_shares(auction, model)[member] for model, live in enumerate(auction.live) if live]
    assert auction.utility(member, auction.settle()) >= min([0, *worst])


@examples
@given(auctions_and_a_member())
def test_step__tax_of_a_silent_station__at_most_what_its_cap_is(case: tuple[Auction, int]) -> None:
    """So that its lock holds it beside the bond. One that revealed and does not work may owe twice the cap."""
    auction, member = case
    if not auction.is_owner(member):
        silent = auction.with_bids(member, (0,) * len(auction.live)).settle()
        assert silent.taxes[member] <= auction.max_station_bid * WEI_PER_GWEI
        assert auction.settle().taxes[member] <= 2 * auction.max_station_bid * WEI_PER_GWEI


@examples
@given(auctions())
def test_step__welfare__is_the_score_and_how_far_the_claimants_cost_is_from_the_others_mean(auction: Auction) -> None:
    """`W - E / (n_B - 1) = K / (n_B - 1) - k_f`: within the cap, so standing aside loses at most twice the cap."""
    rest = len(auction.station_bids) - 1
    cap = auction.max_station_bid * WEI_PER_GWEI
    best, scores = 0, []
    for model in range(len(auction.live)):
        values, costs = claims_at(auction, model)
        own = auction.station_bids[auction.claimant][model] * WEI_PER_GWEI
        welfare = sum(values) - sum(costs) - own
        off = Fraction(sum(costs), rest) - own
        assert welfare - Fraction(score_of(auction, model), rest) == off
        assert -cap <= off <= cap
        scores.append((welfare, auction.live[model]))
        best = max(best, welfare if auction.live[model] else 0)
    selected = auction.settle().selected
    reached = 0 if selected is None else scores[selected][0]
    assert best - reached <= 2 * cap


@examples
@given(auctions())
def test_step__estimate__is_right_on_average_over_the_draw(auction: Auction) -> None:
    for model in range(len(auction.live)):
        everybody = range(len(auction.station_bids))
        estimates = [estimate_at(replace(auction, claimant=claimant), model) for claimant in everybody]
        true = sum(row[model] for row in auction.station_bids) * WEI_PER_GWEI
        assert sum(estimates) / len(estimates) == true


@examples
@given(auctions())
def test_sides__before_tax__owners_never_lose_and_stations_not_on_the_estimate(auction: Auction) -> None:
    """Owners keep `(1 - theta) (V - K^)`, base stations get `theta (V - K^)` beyond `K^` (the paper's (5) and (6))."""
    settled = auction.settle()
    if settled.selected is None:
        return
    theta, owners = Fraction(auction.theta_numerator, THETA_ONE), len(auction.owner_bids)
    value, estimate = sum(claims_at(auction, settled.selected)[0]), estimate_at(auction, settled.selected)
    assert value > estimate
    paid, got = sum(settled.shares[:owners]), -sum(settled.shares[owners:])
    assert 0 <= (1 - theta) * (value - estimate) - (value - paid) < owners
    assert 0 <= theta * (value - estimate) - (got - estimate) < len(auction.station_bids)


@examples
@given(auctions(), st.data())
def test_step__bonus_above_the_cost__a_lie_gains_at_most_the_excess(auction: Auction, data: st.DataObject) -> None:
    """A foreseen bonus counts into the cost, which cannot be claimed below 0: then the truth is best but for that."""
    stations = [j for j in range(len(auction.station_bids)) if j != auction.claimant]
    member = len(auction.owner_bids) + data.draw(st.sampled_from(stations))
    cap, models = auction.max_station_bid, range(len(auction.live))
    excess = [data.draw(st.sampled_from((0, cap // 2, cap))) for _ in models]
    net = [-claim // WEI_PER_GWEI - more for claim, more in zip(auction.signed_claims(member), excess, strict=True)]

    def gained(row: tuple[int, ...]) -> int:
        settled = auction.with_bids(member, row).settle()
        worth = 0 if settled.selected is None else -net[settled.selected] * WEI_PER_GWEI
        return worth - settled.payments[member]

    clipped = tuple(max(0, cost) for cost in net)
    below = max(0, *(-cost for cost in net)) * WEI_PER_GWEI
    lie = data.draw(bids(cap, len(auction.live)))
    assert gained(lie) - gained(clipped) <= below + (below > 0)


# ── the examples ──


def gain(rule: str, member: int, lie: int) -> Fraction:
    """Of claiming that for the one model of the example, gwei."""
    true = (TRUTH.owners + TRUTH.stations)[member]
    return Fraction(gain_of(RULES[rule], TRUTH, (member,))((replace(true, bids=(lie,)),))) / WEI_PER_GWEI


def test_example__owner_claims_nothing__gains_under_both_readings_and_not_under_ours() -> None:
    assert gain("apart", 0, 0) == gain("together", 0, 0) == Fraction(5, 2)
    assert gain("ours", 0, 0) == 0


def test_example__base_station_claims_its_price__gains_under_both_readings_and_not_under_ours() -> None:
    assert gain("apart", 2, 10) == gain("together", 2, 10) == Fraction(5, 3)
    assert gain("ours", 2, 10) <= 0


# Two owners with a model each, three stations at no cost, theta 0: nobody pays a share.
REBATES = Round(
    owners=(Member(bids=(4, 0)), Member(bids=(0, 10))),
    stations=(
        Member(bids=(0, 0), recorded=1),
        Member(bids=(0, 0), recorded=1),
        Member(bids=(0, 0), revealed=False, recorded=1),
    ),
    proposers=(0, 1),
    claimant=2,
    theta_numerator=0,
    max_owner_bid=10,
    max_station_bid=1,
    bond=WEI_PER_GWEI,
)


def test_example__taxes_that_return__pay_whoever_raises_them() -> None:
    """Owner 1's tax is what owner 0 claims to lose; it comes back to owner 0, or goes to the claimant."""
    lie: Conduct = (replace(REBATES.owners[0], bids=(9, 0)),)
    assert gain_of(first, REBATES, (0,))(lie) == 5 * WEI_PER_GWEI
    assert gain_of(ours, REBATES, (0,))(lie) == 0
    outcome = ours(with_conduct(REBATES, {0: lie[0]}))
    assert [payment // WEI_PER_GWEI for payment in outcome.payments] == [0, 9, 0, 0, -9]


def test_example__silence_until_it_sees_the_others__costs_its_bond() -> None:
    silent: Conduct = (replace(REBATES.owners[0], revealed=False),)
    assert gain_of(ours, REBATES, (0,))(silent) == -WEI_PER_GWEI


# ── what the theorems do not say ──


def with_stations(round_: Round, *recorded: int, global_rounds: int = 1) -> Round:
    stations = tuple(replace(s, recorded=done) for s, done in zip(round_.stations, recorded, strict=True))
    return replace(round_, stations=stations, global_rounds=global_rounds)


# theta 0, K = (4, 0), K^ = (6, 0): model 0 costs owner 2, to whom it is worth nothing, a share of 2.
LOSING = replace(
    REBATES,
    owners=(Member(bids=(10, 0)), Member(bids=(0, 3)), Member(bids=(0, 0))),
    stations=(*(Member(bids=(2, 0), recorded=1) for _ in range(2)), REBATES.stations[2]),
    max_station_bid=2,
    bond=2 * WEI_PER_GWEI,
)


def test_limit__a_selection_that_comes_to_nothing__is_worth_a_lie() -> None:
    """E = (8, 6). Owner 2 turns it for a tax of 3; for none if nobody trains model 1."""
    told = ours(LOSING)
    assert (told.trained, utility(LOSING, LOSING, told, 2)) == (0, -2 * WEI_PER_GWEI)
    turned = with_conduct(LOSING, {2: Member(bids=(0, 2))})
    assert (ours(turned).trained, ours(turned).payments[2]) == (1, 3 * WEI_PER_GWEI)
    nothing = ours(with_stations(turned, 0, 0, 0))
    assert (nothing.trained, nothing.payments[2]) == (None, 0)


def test_limit__costs_that_fall_due_at_the_end__make_the_last_round_not_worth_its_part() -> None:
    """Bond and reward go by the part recorded; who bears its whole cost in the last of ten rounds saves by stopping."""
    round_ = with_stations(LOSING, 10, 10, 10, global_rounds=10)
    full = ours(round_).payments[3]
    short = ours(with_stations(round_, 9, 10, 10, global_rounds=10)).payments[3]
    # Reward 2 and bond 2, a tenth of each; the cost of 2 is saved whole.
    assert short - full == Fraction(4, 10) * WEI_PER_GWEI
    assert short - full < 2 * WEI_PER_GWEI
    # Spread evenly, or borne at the beginning, it is not worth stopping at any round.
    for done in range(10):
        lazy: Conduct = (replace(round_.stations[0], recorded=done),)
        assert gain_of(ours, round_, (3,))(lazy) < 0


def test_limit__a_bonus_above_the_cost__is_worth_a_lie() -> None:
    """Station 0 works for nothing and foresees a bonus of 3 for model 0 and none for model 1.

    It bids (0, 0), all that it can; model 1 is selected by a hair. Claiming 1 for model 1 turns that.
    """
    round_ = replace(
        REBATES,
        owners=(Member(bids=(5, 0)), Member(bids=(0, 6))),
        max_station_bid=3,
        bond=3 * WEI_PER_GWEI,
    )
    assert ours(round_).trained == 1
    lie: Conduct = (replace(round_.stations[0], bids=(0, 1)),)
    played = with_conduct(round_, {2: lie[0]})
    assert ours(played).trained == 0
    paid = ours(played).payments[2] - ours(round_).payments[2]
    bonus = 3 * WEI_PER_GWEI
    assert 0 < bonus - paid < bonus


def test_limit__an_owner_that_proposes_what_others_prefer__could_have_kept_it_to_itself() -> None:
    """Bids are truthful, proposals need not be: owner 0 likes its own model less than the other one."""
    round_ = replace(REBATES, owners=(Member(bids=(5, 10)), Member(bids=(6, 0))))
    assert (ours(round_).trained, utility(round_, round_, ours(round_), 0)) == (0, 5 * WEI_PER_GWEI)
    alone = replace(
        round_,
        owners=(Member(bids=(10,)), Member(bids=(0,))),
        stations=tuple(replace(station, bids=(0,)) for station in round_.stations),
        proposers=(1,),
    )
    assert utility(alone, alone, ours(alone), 0) == 10 * WEI_PER_GWEI


def test_limit__values_beyond_the_cap__have_no_true_bid() -> None:
    """Owner 0 likes the second model better, and can say of neither more than 10."""
    cut, lie = (settle([bids, [5, 5]], [[0, 0]] * 3, 0, claimant=0, max_owner_bid=10) for bids in ([10, 10], [0, 10]))
    assert (cut.selected, lie.selected) == (0, 1)
    assert cut.payments[0] == lie.payments[0] == 0, "worth 12 for nothing, or 30"


def test_limit__a_proposer_whose_model_seems_worse__pays_less() -> None:
    """Owner 0's share is half of what owner 1 claims, which is what it reads that the model can do."""
    costs = [[0]] * 3
    told, played_down = (settle([[60], [claim]], costs, HALF, claimant=0, max_owner_bid=60) for claim in (60, 30))
    assert (told.selected, played_down.selected) == (0, 0)
    assert [each.payments[0] // WEI_PER_GWEI for each in (told, played_down)] == [30, 15]


@pytest.mark.parametrize("claimant", range(3))
def test_limit__two_owners_together__gain(claimant: int) -> None:
    stations = (Member(bids=(0,), recorded=1),) * 3
    round_ = with_claimant(replace(TRUTH, stations=stations, claimant=None), claimant)
    pair: Conduct = (Member(bids=(1,)), Member(bids=(0,)))
    assert gain_of(ours, round_, (0, 1))(pair) > 0
