"""What must hold for every round's accounting: conservation, locks, nobody paid for silence or absence."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.mechanism import WEI_PER_GWEI
from analysis.round_facts import Member, Round, RoundResult, Statement
from analysis.settlement import settle_round
from tests.analysis.round_strategies import rounds

examples = settings(deadline=None)


@examples
@given(rounds())
def test_settle_round__any_round__every_wei_is_somewhere(round_: Round) -> None:
    """What was taken and not given is recycled, but for the rounding of shares and an abort's remainder."""
    result = settle_round(round_)
    everybody = result.owners + result.base_stations
    taken = sum(statement.payment for statement in everybody)
    recycled = sum(side.inside + side.outside for side in (result.owner_side, result.base_side))
    abort_bond = sum(s.slashed for s in result.owners if s.slash == "abort")
    divided = abort_bond if any(station.recorded for station in round_.base_stations) else 0
    assert taken == recycled + sum(statement.share for statement in everybody) + divided
    rounding = result.escrow_left - result.abort_remainder
    assert 0 <= rounding < 4 * len(everybody)
    assert 0 <= result.abort_remainder < max(1, len(round_.base_stations))
    rebates = sum(statement.rebate for statement in everybody)
    assert taken == rebates + result.escrow_left


@examples
@given(rounds())
def test_settle_round__any_round__statements_add_up(round_: Round) -> None:
    result = settle_round(round_)
    members = round_.owners + round_.base_stations
    for member, statement in zip(members, result.owners + result.base_stations, strict=True):
        amounts = (statement.tax, statement.reward, statement.forfeited, statement.slashed, statement.rebate)
        assert all(amount >= 0 for amount in amounts)
        assert statement.payment == statement.share + statement.tax + statement.slashed + statement.forfeited
        assert statement.payment <= statement.lock
        assert statement.slashed in (0, round_.bond)
        assert (statement.slashed > 0) == (statement.slash is not None)
        if not member.committed:
            assert statement.rebate == statement.put_in == 0
            assert statement.payment == statement.slashed
    assert all(s.share >= 0 and s.reward == s.forfeited == 0 for s in result.owners)
    assert all(s.share == -s.reward - s.forfeited for s in result.base_stations)


@examples
@given(rounds())
def test_settle_round__any_round__no_tax_of_an_owner_or_a_paid_station_is_cut(round_: Round) -> None:
    """An unpaid station's may be: under capability weights its tax can exceed what it locks."""
    result = settle_round(round_)
    if result.settlement is None or result.status == "aborted":
        return
    recorded = any(station.recorded for station in round_.base_stations)
    taxes = iter(result.settlement.taxes)
    for owner, statement in zip(round_.owners, result.owners, strict=True):
        assert statement.tax == (next(taxes) if owner.committed else 0)
    for station, statement in zip(round_.base_stations, result.base_stations, strict=True):
        owed = next(taxes) if station.committed else 0
        assert statement.tax <= owed
        if statement.slash is None and not statement.forfeited and (recorded or result.selected is None):
            assert statement.tax == owed


@examples
@given(rounds())
def test_settle_round__station_that_did_its_part__within_its_liability(round_: Round) -> None:
    """A truthful base station never ends below `-maxBaseBid`, twice that under the contribution policy."""
    result = settle_round(round_)
    for number, station in enumerate(round_.base_stations):
        listed = round_.contributions[number] if round_.contributions else None
        if station.recorded and listed != 0:
            cost = 0 if result.selected is None else station.bids[result.selected] * WEI_PER_GWEI
            assert result.base_stations[number].payment + cost <= round_.base_liability


@examples
@given(rounds(), st.data())
def test_settle_round__truthful_owner_turns_silent__gains_nothing(round_: Round, data: st.DataObject) -> None:
    candidates = [number for number, owner in enumerate(round_.owners) if owner.committed and owner.revealed]
    if not candidates:
        return
    number = data.draw(st.sampled_from(candidates))
    round_ = replace(round_, reported=True, punished=False)  # whether it keeps its word is its own doing
    silent = _with_owner_silent(round_, number)
    honest_result, silent_result = settle_round(round_), settle_round(silent)
    if not any(station.recorded for station in round_.base_stations):
        return  # nothing was trained in the end: no value, and no share
    truth = round_.owners[number].bids
    honest = _utility(truth, honest_result, honest_result.owners[number])
    assert _utility(truth, silent_result, silent_result.owners[number]) <= honest


@examples
@given(rounds(), st.data())
def test_settle_round__honest_station_turns_silent_or_absent__gains_nothing(round_: Round, data: st.DataObject) -> None:
    """As long as somebody else records an update and the winner does its part."""
    round_ = replace(round_, global_round_recorded=True, reported=True, punished=False)
    honest = [
        number
        for number, station in enumerate(round_.base_stations)
        if station.recorded and not (round_.contributions and round_.contributions[number] == 0)
    ]
    if len(honest) < 2:
        return
    number = data.draw(st.sampled_from(honest))
    result = settle_round(round_)
    station = round_.base_stations[number]
    cost = 0 if result.selected is None else station.bids[result.selected] * WEI_PER_GWEI
    payment = result.base_stations[number].payment + cost
    for revealed in (False, True):
        changed = replace(station, revealed=revealed, recorded=False)
        stations = _replaced(round_.base_stations, number, changed)
        other = settle_round(replace(round_, base_stations=stations))
        if not revealed or other.status == "settled":
            assert other.base_stations[number].payment >= payment


@examples
@given(rounds())
def test_settle_round__any_round__nobody_gets_its_own_tax_back(round_: Round) -> None:
    """More put in by one member alone gives the same rebate to itself."""
    result = settle_round(round_)
    for members, statements, side in (
        (round_.owners, result.owners, result.owner_side),
        (round_.base_stations, result.base_stations, result.base_side),
    ):
        committed = sum(member.committed for member in members)
        for member, statement in zip(members, statements, strict=True):
            if member.committed and committed > 1:
                others = side.inside - statement.put_in
                assert statement.rebate == others // (committed - 1) + side.outside // committed


@examples
@given(rounds())
def test_settle_round__cancelled__no_share_tax_or_reward(round_: Round) -> None:
    result = settle_round(replace(round_, selected_in_time=False))
    assert result.status == "cancelled"
    assert result.selected is None
    assert result.settlement is None
    for statement in result.owners + result.base_stations:
        assert statement.share == statement.tax == statement.reward == statement.forfeited == 0


@examples
@given(rounds())
def test_settle_round__uncommitted_proposer__slashed_whatever_happens(round_: Round) -> None:
    result = settle_round(round_)
    somebody = any(owner.committed for owner in round_.owners)
    absent = [p for p in round_.proposers if not round_.owners[p].committed]
    for number in absent:
        assert result.owners[number].slashed == (round_.bond if somebody else 0)
    assert result.owner_side.outside == (len(absent) * round_.bond if somebody else 0)


def _with_owner_silent(round_: Round, number: int) -> Round:
    silent = replace(round_.owners[number], revealed=False, bids=())
    return replace(round_, owners=_replaced(round_.owners, number, silent))


def _replaced(members: tuple[Member, ...], number: int, member: Member) -> tuple[Member, ...]:
    return (*members[:number], member, *members[number + 1 :])


def _utility(bids: tuple[int, ...], result: RoundResult, statement: Statement) -> int:
    """Of an owner with these true values."""
    gained = 0 if result.selected is None else bids[result.selected] * WEI_PER_GWEI
    return gained - statement.payment
