"""Random rounds on chain against the reference, to the wei; random lies, silences and saved work gain nothing.

Policies, stakes, silence, absence, partial work, aborts, both verdicts, cancellations before and after the draw.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound
from analysis.figures.search import cap_of, gain_of, members_of, ours, with_conduct
from analysis.mechanism import WEI_PER_GWEI, settle, theta_numerator
from analysis.round_facts import Member, Round
from analysis.settlement import settle_round
from fl.market.bids import pack_bids
from fl.market.terms import GWEI, Stage
from tests.analysis.round_strategies import bids, rounds
from tests.conftest import HALF, OWNER_BIDS, STATION_BIDS, untouched
from tests.support.assertions import assert_conserved
from tests.support.play import facts_of, fits, play
from tests.support.reference import assert_settles_like_reference
from tests.support.utility import utilities

THRESHOLDS = st.sampled_from((5_000, 6_667, 9_999))
LONGEST = 7  # global rounds; `test_audit.py` plays 256

# What random rounds come to: of each, some are played. See `outcomes`.
WANTED = (
    "cancelled: cannot be held",
    "cancelled: never drawn",
    "cancelled: not selected in time",
    "cancelled: no station revealed",
    "nothing trained",
    "aborted",
    "settled under equal",
    "settled under capability",
    "settled: tax",
    "settled: partial work",
    "settled: nobody recorded",
    "settled: upheld with a stake",
    "settled: list not upheld",
    "slashed for silence",
    "slashed for absence",
    "slashed for proposal",
    "slashed for vote",
    "slashed for zero",
)

# Theta can be each of these, and all between; the range of a single point makes it known before the draw.
SURPLUS_BPS = st.sampled_from((0, 1, 5_000, 9_999)) | st.integers(0, 9_999)
RANGES = st.tuples(SURPLUS_BPS, SURPLUS_BPS).map(lambda ends: (min(ends), max(ends)))

through_the_node = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_reference__default_round__as_worked_out_by_hand() -> None:
    """The table in `test_settle.py`: a failure there and not here is the contract's."""
    result = settle(OWNER_BIDS, STATION_BIDS, HALF, claimant=2, max_owner_bid=100)
    assert [score / GWEI for score in result.scores] == [57, 132]
    assert [tax / GWEI for tax in result.taxes] == [0, 0, 21.25, 10.5, 0, 0]
    assert [share / GWEI for share in result.shares] == [21.5, 24, 11.5, -22, -16, -19]
    assert result.pool == 57 * GWEI


@pytest.mark.parametrize("wanted", WANTED)
def test_any_round__played_on_chain__settles_like_the_reference(deployment: Market, wanted: str) -> None:
    """Of each kind that a round can come to, some; what happens in them beside that is drawn as well."""
    played = 0

    @settings(through_the_node, max_examples=6)
    @given(round_=rounds_coming_to(wanted), surplus_bps=RANGES, threshold_bps=THRESHOLDS, data=st.data())
    def check(round_: Round, surplus_bps: tuple[int, int], threshold_bps: int, data: st.DataObject) -> None:
        nonlocal played
        # Before the node is asked for anything: a fault of the node between two draws looks like a faulty strategy.
        together = data.draw(st.lists(st.sampled_from(range(len(members_of(round_)))), unique=True), "settled together")
        with untouched(deployment):
            live = play(deployment, round_, surplus_bps, threshold_bps)
            settle_some(live, together)
            facts = assert_settles_like_reference(live).facts
            assert_conserved(deployment)
        played += 1
        # The events tell what was to be played; theta alone was the draw's.
        assert settle_round(facts) == settle_round(replace(round_, theta_numerator=facts.theta_numerator))

    check()
    assert played >= 6, f"only {played} rounds came to: {wanted}"


@pytest.mark.parametrize("kind", ["lie", "silence", "partial work"])
def test_any_member__lies_is_silent_or_works_less__gains_nothing_net_of_every_flow(
    deployment: Market, kind: str
) -> None:
    """The rest of the round stays as it is: others are silent or absent, and the claimant receives the lot."""
    worse = 0

    @settings(through_the_node, max_examples=20)
    @given(truth=agreed_rounds(), surplus_bps=SURPLUS_BPS, data=st.data())
    def check(truth: Round, surplus_bps: int, data: st.DataObject) -> None:
        nonlocal worse
        weighted = truth.owner_policy == "capability"
        truth = replace(truth, theta_numerator=theta_numerator(surplus_bps, surplus_bps, 0, weighted))
        number = data.draw(st.sampled_from(able_to(truth, kind)), "member")
        instead = deviation(data, truth, number, kind)
        told, changed = (
            utility_on_chain(deployment, played, truth, surplus_bps, number)
            for played in (truth, with_conduct(truth, {number: instead}))
        )
        assert changed <= told, f"member {number} gains {changed - told} wei by {kind}: {instead} in {truth}"
        assert changed - told == gain_of(ours, truth, (number,))((instead,)), "the reference says otherwise"
        worse += changed < told

    check()
    assert worse, f"{kind} never cost anything"


def settle_some(live: LiveRound, together: Sequence[int]) -> None:
    """Those members, in this order; then the claimant takes what there is. The rest is left to the comparison."""
    live.settle_many([live.members[number] for number in together]).send()
    for seat in live.stations:
        if live.stage(seat) is Stage.SETTLED:
            live.claim_lot(seat).send()


# ── what rounds come to ──


def outcomes(facts: Round) -> set[str]:
    """In words: what a round has come to, and what happened to somebody in it."""
    result = settle_round(facts)
    dues = result.owners + result.stations
    drawn, settled, cancelled = facts.claimant is not None, result.status == "settled", result.status == "cancelled"
    recorded = [station.recorded for station in facts.stations]
    found = {
        result.status: not (settled or cancelled),
        f"settled under {facts.owner_policy}": settled and any(recorded),
        "cancelled: cannot be held": cancelled and not facts.can_be_held,
        "cancelled: never drawn": cancelled and facts.can_be_held and not drawn,
        "cancelled: not selected in time": cancelled and drawn and not facts.selected_in_time,
        "cancelled: no station revealed": cancelled and drawn and facts.selected_in_time,
        "settled: nobody recorded": settled and not any(recorded),
        "settled: partial work": settled and any(0 < count < facts.global_rounds for count in recorded),
        "settled: upheld with a stake": result.upheld and any(dues_.bonus for dues_ in dues),
        "settled: list not upheld": settled and sum(q or 0 for q in facts.contributions) > 0 and not result.upheld,
        "settled: tax": settled and result.lot > 0,
    }
    slashed = {f"slashed for {dues_.slash}" for dues_ in dues if dues_.slash}
    return slashed | {name for name, came in found.items() if came}


def rounds_coming_to(wanted: str) -> st.SearchStrategy[Round]:
    """Random rounds that are led there where few come by themselves."""
    led = STEERS.get(wanted)
    drawn = rounds() if led is None else rounds(agreed=True).map(led)
    return drawn.map(shorter).filter(lambda round_: fits(round_) and wanted in outcomes(round_))


def nobody_reveals(round_: Round) -> Round:
    return _with_stations(round_, revealed=False, recorded=0)


def zeros_listed(round_: Round) -> Round:
    """Who is not listed is listed with 0."""
    listed = zip(round_.stations, round_.contributions, strict=False)
    return replace(round_, upheld=True, contributions=tuple((q or 0) if s.committed else None for s, q in listed))


# Where few rounds come by themselves.
STEERS: dict[str, Callable[[Round], Round]] = {
    "cancelled: never drawn": lambda round_: replace(_with_stations(round_, recorded=0), claimant=None),
    "cancelled: not selected in time": lambda round_: replace(round_, selected_in_time=False),
    "cancelled: no station revealed": nobody_reveals,
    "aborted": lambda round_: replace(round_, reported=False),
    "settled: nobody recorded": lambda round_: _with_stations(round_, recorded=0),
    "settled: upheld with a stake": lambda round_: replace(round_, upheld=True, stake=round_.stake or WEI_PER_GWEI),
    "slashed for vote": lambda round_: replace(round_, punished=True),
    "slashed for zero": zeros_listed,
}


def _with_stations(round_: Round, **changes: Any) -> Round:
    return replace(round_, stations=tuple(replace(station, **changes) for station in round_.stations))


def shorter(round_: Round) -> Round:
    """The same with no more global rounds than can be played quickly."""
    total = min(round_.global_rounds, LONGEST)
    stations = tuple(replace(station, recorded=min(station.recorded, total)) for station in round_.stations)
    return replace(round_, global_rounds=total, stations=stations)


# ── members that do otherwise ──


def agreed_rounds() -> st.SearchStrategy[Round]:
    """What the truth needs (mechanism.md, "Clarke tax"): whatever one member does, somebody records."""
    agreed = rounds(agreed=True).map(somebody_records).map(shorter)
    return agreed.filter(lambda round_: fits(round_) and bool(able_to(round_, "silence")))


def somebody_records(round_: Round) -> Round:
    """The claimant and the first that reveals do all the work; no list stands, which would tie stakes to a model."""
    stations = list(round_.stations)
    for j in [*[j for j, station in enumerate(stations) if station.revealed][:1], round_.claimant or 0]:
        stations[j] = replace(stations[j], recorded=round_.global_rounds)
    return replace(round_, stations=tuple(stations), upheld=False)


def able_to(truth: Round, kind: str) -> list[int]:
    """Members that are truthful and do their part, and may do otherwise."""
    stations, owners = truth.stations, len(truth.owners)
    dutiful = [j for j, s in enumerate(stations) if s.recorded == truth.global_rounds]
    if kind == "partial work":
        return [owners + j for j in dutiful]
    revealed = [j for j, station in enumerate(stations) if station.revealed]
    # A base station that is alone to reveal decides whether anything is selected at all.
    able = [owners + j for j in dutiful if j != truth.claimant and len(revealed) > 1]
    return [i for i, owner in enumerate(truth.owners) if owner.revealed and revealed] + able


def deviation(data: st.DataObject, truth: Round, number: int, kind: str) -> Member:
    """What the member does instead; a lie that changes something, if one of several does."""
    member, models = members_of(truth)[number], len(truth.proposers)
    if kind == "silence":
        return replace(member, revealed=False, recorded=0)
    if kind == "partial work":
        return replace(member, recorded=data.draw(st.integers(0, member.recorded - 1), "recorded"))
    cap = cap_of(truth, number)
    rows = data.draw(st.lists(bids(cap, models), min_size=3, max_size=3), "lies")
    rows += [
        tuple(end if m == model else bid for m, bid in enumerate(rows[0]))
        for model in range(models)
        for end in (0, cap)
    ]
    lies = [replace(member, bids=row) for row in ((0,) * models, (cap,) * models, *rows)]
    gain = gain_of(ours, truth, (number,))
    return data.draw(st.sampled_from([lie for lie in lies if gain((lie,))] or lies), "lie")


def utility_on_chain(deployment: Market, played: Round, truth: Round, surplus_bps: int, number: int) -> Fraction | int:
    """What the round is worth to the member in truth, wei."""
    with untouched(deployment):
        live = play(deployment, played, (surplus_bps, surplus_bps), 5_000)
        true = {seat.name: member.bids for seat, member in facts_of(live, truth).items()}
        return utilities(live, truth=true)[live.members[number].name]


@pytest.mark.parametrize("best", [2, 3, 7, 8])
def test_settle__nine_models__like_the_reference_and_the_silent_with_zeros_alone(
    create_round: CreateRound, best: int
) -> None:
    """Three words: whichever the selected model is in, and a bid that was never revealed."""
    values = tuple(20 if model == best else 19 for model in range(9))
    round_ = create_round(
        owner_bids=(values,) + ((0,) * 9,) * 8, station_bids=((1,) * 9,) * 3, proposers=range(9)
    ).drawn()
    silent = round_.owners[-1]
    round_.revealed(but=[silent]).voted()
    for model in range(9):
        others = pack_bids([int(m == model) for m in range(9)])
        round_.settle(silent, bids=others).reverts_with("WrongBids", member=silent.account)
    assert_settles_like_reference(round_)
