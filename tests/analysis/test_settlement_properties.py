"""What must hold for every round's accounting: conservation, locks, and truth that pays net of every flow."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.figures.search import Conduct, gain_of, members_of, ours, utility
from analysis.mechanism import CONTRIBUTION_ONE, WEI_PER_GWEI, contribution_bonus
from analysis.round_facts import Dues, Member, Round, RoundResult
from analysis.settlement import settle_round
from tests.analysis.round_strategies import bids, rounds

examples = settings(deadline=None)


def everybody(result: RoundResult) -> tuple[Dues, ...]:
    return result.owners + result.stations


# ── where every wei goes ──


@examples
@given(rounds())
def test_settle_round__any_round__every_wei_is_somewhere(round_: Round) -> None:
    """What is kept: bonds, shares that nobody earned, and the rounding; nothing is paid that was not taken before."""
    result = settle_round(round_)
    bonds = sum(dues.slashed for dues in everybody(result))
    shares = sum(dues.share for dues in result.owners)
    rewards = sum(dues.reward for dues in result.stations)
    bonuses = sum(dues.bonus for dues in result.stations)
    assert result.lot == sum(dues.tax for dues in everybody(result))
    assert result.kept == bonds + (shares - rewards) - bonuses
    # No deficit in any part: neither shares nor stakes are topped up.
    assert result.kept >= 0
    assert bonuses <= 0
    assert shares >= rewards
    locks = sum(dues.lock for dues in everybody(result))
    assert locks - sum(dues.payment for dues in everybody(result)) + result.lot + result.kept == locks


@examples
@given(rounds())
def test_settle_round__any_round__dues_add_up_within_the_lock(round_: Round) -> None:
    result = settle_round(round_)
    for number, (member, dues) in enumerate(zip(members_of(round_), everybody(result), strict=True)):
        assert all(amount >= 0 for amount in (dues.tax, dues.reward, dues.slashed, dues.forfeited))
        assert dues.payment == dues.share + dues.tax + dues.slashed + dues.forfeited - dues.bonus
        assert dues.payment <= dues.lock
        assert dues.slashed <= round_.bond
        assert (dues.slashed > 0) == (dues.slash is not None)
        if not member.committed:
            assert dues.payment == dues.slashed == (round_.bond if dues.slash == "proposal" else 0)
        if number < len(round_.owners):
            assert dues.share >= 0 == dues.reward == dues.bonus
            assert dues.slashed in (0, round_.bond)
        else:
            assert dues.share <= 0
            # The stake pays nothing but stakes.
            assert dues.payment + dues.bonus <= dues.lock - round_.stake
            assert -round_.stake <= dues.bonus <= round_.stake


@examples
@given(rounds())
def test_settle_round__any_round__no_tax_is_cut_but_of_who_missed_records_or_was_zeroed(round_: Round) -> None:
    result = settle_round(round_)
    if result.settlement is None:
        return
    due = result.selected is None or any(station.recorded for station in round_.stations)
    taxes = iter(result.settlement.taxes)
    for member, dues in zip(members_of(round_), everybody(result), strict=True):
        owed = next(taxes) if member.committed and due else 0
        assert dues.tax <= owed
        if dues.slash not in ("absence", "zero"):
            assert dues.tax == owed


@examples
@given(rounds(), st.integers(1, 100))
def test_settle_round__larger_bonds__take_more_and_give_nobody_more(round_: Round, more: int) -> None:
    """What is taken for misconduct is paid to nobody."""
    lower, higher = settle_round(round_), settle_round(replace(round_, bond=round_.bond + more * WEI_PER_GWEI))
    assert higher.lot >= lower.lot  # less of a tax is cut
    for before, after in zip(everybody(lower), everybody(higher), strict=True):
        assert after.slash == before.slash
        if before.slash is None:
            assert after.payment == before.payment
        assert after.slashed >= before.slashed


@examples
@given(rounds(), st.data())
def test_settle_round__another_fails_to_record__gains_nobody_anything(round_: Round, data: st.DataObject) -> None:
    """Nor does it lose anybody anything, but where it was the only one that recorded."""
    least = round_.max_station_bid * WEI_PER_GWEI
    round_ = replace(round_, bond=least, reported=data.draw(st.booleans()))
    stations = list(round_.stations)
    number = data.draw(st.integers(0, len(stations) - 1))
    stations[number] = replace(stations[number], recorded=0)
    assume(any(each.recorded for each in stations))
    before, after = settle_round(round_), settle_round(replace(round_, stations=tuple(stations)))
    for other, dues in enumerate(after.stations):
        assert other == number or dues.payment == before.stations[other].payment
    for dues, then in zip(after.owners, before.owners, strict=True):
        assert dues.payment == then.payment


# ── conduct ──


@st.composite
def agreed_rounds_and_a_member(draw: st.DrawFn) -> tuple[Round, int]:
    """What the truth needs (mechanism.md, "Clarke tax"), and a member that is truthful and does its part.

    Others are silent, absent, lazy and no reporting winners at random. If the member is an owner, somebody recorded.
    """
    round_ = replace(draw(rounds(agreed=True)), upheld=False)
    owners, stations, total = list(round_.owners), list(round_.stations), round_.global_rounds
    if draw(st.booleans()):
        number = draw(st.sampled_from([i for i, owner in enumerate(owners) if owner.committed]))
        owners[number] = replace(owners[number], revealed=True)
        assume(any(station.recorded for station in stations))
        member = number
    else:
        number = draw(st.sampled_from([j for j, station in enumerate(stations) if station.committed]))
        stations[number] = replace(stations[number], revealed=number != round_.claimant, recorded=total)
        member = len(owners) + number
    others_revealed = any(s.committed and s.revealed for j, s in enumerate(stations) if j != round_.claimant)
    assume(others_revealed)
    reported = member in round_.proposers or draw(st.booleans())
    return replace(round_, owners=tuple(owners), stations=tuple(stations), reported=reported), member


def deviations(draw: st.DataObject, round_: Round, member: int) -> list[Member]:
    """Lies, silence, less work, and lies with less work."""
    true, owners = members_of(round_)[member], len(round_.owners)
    cap = round_.max_owner_bid if member < owners else round_.max_station_bid
    models = len(round_.proposers)
    rows = [(0,) * models, (cap,) * models, *(draw.draw(bids(cap, models)) for _ in range(3))]
    model = draw.draw(st.integers(0, models - 1))
    rows += [tuple(end if m == model else bid for m, bid in enumerate(true.bids)) for end in (0, cap)]
    lies = [replace(true, bids=row) for row in rows]
    efforts: list[Member] = []
    if member >= owners:
        effort = draw.draw(st.integers(0, round_.global_rounds))
        efforts = [replace(each, recorded=effort) for each in (true, *lies)] + [replace(true, recorded=0)]
    silence = [replace(true, revealed=False, recorded=0)] if member != owners + (round_.claimant or 0) else []
    return lies + efforts + silence


@examples
@given(rounds(), st.booleans())
def test_settle_round__winner_punished_or_silent__moves_nobodys_money_but_its_bond(
    round_: Round, reported: bool
) -> None:
    """Else a base station with few points would gain by it, and could spoil the model for that.

    And the other owners, who have the model by then, would pay the winner for not reporting it.
    """
    round_ = replace(round_, upheld=round_.upheld and reported)
    before = settle_round(replace(round_, reported=True, punished=False))
    after = settle_round(replace(round_, reported=reported, punished=True))
    assert [dues.payment for dues in after.stations] == [dues.payment for dues in before.stations]
    assert (after.lot, after.upheld) == (before.lot, before.upheld)
    moved = [new.payment - old.payment for old, new in zip(before.owners, after.owners, strict=True)]
    assert [each for each in moved if each] in ([], [round_.bond])


@examples
@given(agreed_rounds_and_a_member(), st.data())
def test_any_member__lies_is_silent_or_works_less__gains_nothing_net_of_every_flow(
    case: tuple[Round, int], data: st.DataObject
) -> None:
    """Theorem 1 over the whole round's money: shares, taxes, the lot, bonds and rewards; costs by the part worked."""
    round_, member = case
    gain = gain_of(ours, round_, (member,))
    for conduct in deviations(data, round_, member):
        assert gain((conduct,)) <= 0, conduct


@examples
@given(agreed_rounds_and_a_member(), st.data())
def test_any_station__lies_where_contributions_are_upheld__gains_nothing(
    case: tuple[Round, int], data: st.DataObject
) -> None:
    """Its cost is then what the work costs less the bonus that it foresees: it is that which it bids."""
    round_, member = case
    place = member - len(round_.owners)
    assume(place >= 0 and round_.contributions and round_.contributions[place] != 0)
    assume(sum(points or 0 for points in round_.contributions) == CONTRIBUTION_ONE)
    upheld = replace(round_, upheld=True, reported=True)
    committed = [j for j, station in enumerate(round_.stations) if station.committed]
    bonuses = contribution_bonus(round_.stake, [round_.contributions[j] for j in committed])
    bonus = bonuses[committed.index(place)]

    def net(played: Round) -> int:
        outcome = ours(played)
        return int(utility(upheld, played, outcome, member)) - (bonus if outcome.trained is not None else 0)

    told = net(upheld)
    for conduct in deviations(data, upheld, member):
        if conduct.recorded == upheld.global_rounds:
            stations: Conduct = (*upheld.stations[:place], conduct, *upheld.stations[place + 1 :])
            assert net(replace(upheld, stations=stations)) <= told, conduct


@examples
@given(agreed_rounds_and_a_member())
def test_any_member__truthful_and_dutiful__loses_no_more_than_the_page_says(case: tuple[Round, int]) -> None:
    """An owner `p * maxOwnerBid`, all of its lock but the bond if the model is worthless; a station `maxStationBid`."""
    round_, member = case
    outcome = ours(round_)
    gained = utility(round_, round_, outcome, member)
    if member < len(round_.owners):
        points = round_.owners[member].points
        assert gained >= -points * round_.max_owner_bid * WEI_PER_GWEI
        assert outcome.payments[member] <= (1 + points) * round_.max_owner_bid * WEI_PER_GWEI
    else:
        assert gained >= -round_.max_station_bid * WEI_PER_GWEI


@examples
@given(rounds())
def test_station__recorded_everything__stake_apart_no_more_than_its_cap(round_: Round) -> None:
    """Whatever the others and the electors do; an upheld 0 takes the bond besides."""
    result = settle_round(round_)
    for number, (station, dues) in enumerate(zip(round_.stations, result.stations, strict=True)):
        if station.committed and station.recorded == round_.global_rounds:
            cost = 0 if result.selected is None else station.bids[result.selected] * WEI_PER_GWEI
            zeroed = round_.bond if dues.slash == "zero" else 0
            assert dues.payment - zeroed + cost <= round_.max_station_bid * WEI_PER_GWEI + round_.stake, number


@examples
@given(rounds())
def test_rewards__by_the_part_recorded__and_nothing_for_the_silent(round_: Round) -> None:
    result, total = settle_round(round_), round_.global_rounds
    for station, dues in zip(round_.stations, result.stations, strict=True):
        if dues.share:
            assert dues.reward == -dues.share * station.recorded // total
        if dues.slash == "absence":
            assert (dues.slashed - 1) * total < round_.bond * (total - station.recorded) <= dues.slashed * total
        if station.recorded == 0:
            assert dues.reward == 0


@examples
@given(rounds())
def test_settle_round__cancelled__no_share_tax_or_reward(round_: Round) -> None:
    result = settle_round(replace(round_, selected_in_time=False))
    assert result.status == "cancelled"
    assert result.selected is result.settlement is None
    assert result.lot == 0
    for dues in everybody(result):
        assert dues.share == dues.tax == dues.reward == dues.bonus == 0


@examples
@given(rounds())
def test_settle_round__bonds_of_the_silent_and_of_absent_proposers__taken_exactly_if_drawn(round_: Round) -> None:
    result, drawn = settle_round(round_), round_.claimant is not None
    winner = None if result.selected is None else round_.proposers[result.selected]
    for number, (owner, dues) in enumerate(zip(round_.owners, result.owners, strict=True)):
        absent = not owner.committed and number in round_.proposers
        silent = owner.committed and not owner.revealed
        if number != winner:
            assert dues.slashed == (round_.bond if drawn and (absent or silent) else 0)
    for number, (station, dues) in enumerate(zip(round_.stations, result.stations, strict=True)):
        if station.committed and not station.revealed and number != round_.claimant:
            assert dues.slashed == (round_.bond if drawn else 0)
    if not drawn:
        assert not any(dues.payment for dues in everybody(result))


@examples
@given(rounds(), st.randoms(use_true_random=False))
def test_settle_round__members_in_another_order__the_same_dues(round_: Round, random: Random) -> None:
    """The order of joining and committing decides nothing but whom a draw names."""
    owners, stations = (random.sample(range(len(side)), len(side)) for side in (round_.owners, round_.stations))
    reordered = replace(
        round_,
        owners=tuple(round_.owners[place] for place in owners),
        stations=tuple(round_.stations[place] for place in stations),
        proposers=tuple(owners.index(proposer) for proposer in round_.proposers),
        claimant=None if round_.claimant is None else stations.index(round_.claimant),
        contributions=tuple(round_.contributions[place] for place in stations) if round_.contributions else (),
    )
    before, after = settle_round(round_), settle_round(reordered)
    assert after.owners == tuple(before.owners[place] for place in owners)
    assert after.stations == tuple(before.stations[place] for place in stations)
    assert (after.lot, after.kept, after.selected) == (before.lot, before.kept, before.selected)
