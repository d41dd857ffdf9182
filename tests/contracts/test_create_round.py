"""`createRound`: what it stores and announces, and every parameter that it refuses."""

from dataclasses import replace

import pytest
from eth_utils import keccak

from analysis.devnode.market import Call, Market
from fl.market.terms import GWEI, Deadlines, Phase, Policy, RoundTerms, Status

MAX_CAP = 2**44 - 1
MAX_BOND = (2**54 - 1) * GWEI
MAX_STAKE = MAX_CAP * GWEI
YEAR = 365 * 24 * 60 * 60
ROOT = keccak(text="root")


def terms(market: Market, **changes: object) -> RoundTerms:
    """Terms that are accepted, but for the changes."""
    accepted = RoundTerms(
        max_owner_bid=100, max_station_bid=50, bond=200 * GWEI, deadlines=Deadlines.after(market.chain.now, 100)
    )
    return replace(accepted, **changes)  # type: ignore[arg-type]


def creation(market: Market, stranger: str, **changes: object) -> Call:
    return market.call("createRound", terms(market, **changes).encode(), ROOT, sender=stranger)


def test_create_round__valid_terms__round_open_for_joining(market: Market, stranger: str) -> None:
    creation(market, stranger).send()
    state = market.view("roundOf", 1)
    assert market.view("roundCount") == 1
    assert (state.status, state.phase) == (Status.OPEN, Phase.JOIN)
    assert (state.modelCount, state.live, state.recorders, state.finished, state.escrow) == (0, 0, 0, 0, 0)
    assert (state.committed, state.revealed, state.points) == ([0, 0], [0, 0], 0)
    assert (state.votesPunish, state.votesUphold, state.votesCast, state.listedPoints) == (0, 0, 0, 0)
    assert (state.thetaNumerator, state.claimant, state.lot) == (0, 0, 0), "nothing is drawn yet"


def other_terms(market: Market) -> RoundTerms:
    """No two fields alike, none at its default."""
    return terms(
        market,
        contribution_stake=7 * GWEI,
        owner_policy=Policy.CAPABILITY,
        surplus_bps=(0, 0),
        threshold_bps=6_667,
        tolerance_bps=123,
        max_models=5,
    )


def test_create_round__valid_terms__event_carries_all_terms(market: Market, stranger: str) -> None:
    chosen = other_terms(market)
    event = market.call("createRound", chosen.encode(), ROOT, sender=stranger).send().event("RoundCreated")
    assert (event["roundId"], event["creator"], event["membershipRoot"]) == (1, stranger, ROOT)
    assert RoundTerms.decode(event["terms"]) == chosen


@pytest.mark.parametrize("chosen", ["default", "others", "range"])
def test_terms_of__any_round__all_terms_and_the_door(market: Market, stranger: str, chosen: str) -> None:
    created = {
        "default": terms(market),
        "others": other_terms(market),
        "range": terms(market, surplus_bps=(1, 9_999), tolerance_bps=9_999, threshold_bps=9_999),
    }[chosen]
    market.call("createRound", created.encode(), ROOT, sender=stranger).send()
    view = market.view("termsOf", 1)
    assert RoundTerms.decode(view.terms) == created
    assert view.door == created.door(ROOT)


def test_terms_hash_and_door__of_the_contract__as_in_python(market: Market) -> None:
    for chosen in (terms(market), other_terms(market)):
        assert market.view("termsHashOf", chosen.encode()) == chosen.hash
        assert market.view("doorOf", ROOT, chosen.hash) == chosen.door(ROOT)


@pytest.mark.parametrize(
    "change",
    [
        {"max_owner_bid": 101},
        {"max_station_bid": 51},
        {"bond": 201 * GWEI},
        {"contribution_stake": GWEI},
        {"owner_policy": Policy.CAPABILITY},
        {"surplus_bps": (2_001, 6_000)},
        {"surplus_bps": (2_000, 6_001)},
        {"threshold_bps": 5_001},
        {"tolerance_bps": 301},
        {"max_models": 63},
        {"deadlines": Deadlines(1, 2, 3, 4, 5, 6, 8)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_terms_hash__any_term_changed__another_hash(market: Market, change: dict[str, object]) -> None:
    base = terms(market, deadlines=Deadlines(1, 2, 3, 4, 5, 6, 7))
    changed = replace(base, **change)  # type: ignore[arg-type]
    assert market.view("termsHashOf", base.encode()) != market.view("termsHashOf", changed.encode())


def test_terms_of__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("termsOf", 1, sender=stranger).reverts_with("UnknownRound", roundId=1)
    market.call("roundOf", 1, sender=stranger).reverts_with("UnknownRound", roundId=1)


def test_create_round__twice__ids_count_up_from_one(market: Market, stranger: str) -> None:
    ids = [creation(market, stranger).send().event("RoundCreated")["roundId"] for _ in range(3)]
    assert ids == [1, 2, 3]
    assert market.view("roundCount") == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"max_owner_bid": 1, "max_station_bid": 1, "bond": GWEI},
        {"max_owner_bid": MAX_CAP, "max_station_bid": MAX_CAP, "bond": MAX_CAP * GWEI},
        {"bond": MAX_BOND},
        {"contribution_stake": MAX_STAKE},
        {"surplus_bps": (0, 0)},
        {"surplus_bps": (9_999, 9_999)},
        {"threshold_bps": 5_000},
        {"threshold_bps": 9_999},
        {"tolerance_bps": 0},
        {"tolerance_bps": 9_999},
        {"max_models": 1},
        {"max_models": 64},
    ],
    ids=str,
)
def test_create_round__at_the_edge_of_a_range__accepted(
    market: Market, stranger: str, changes: dict[str, object]
) -> None:
    creation(market, stranger, **changes).send()
    assert market.view("roundOf", 1).status == Status.OPEN


@pytest.mark.parametrize("cap", [0, MAX_CAP + 1, 2**64 - 1])
@pytest.mark.parametrize("side", ["max_owner_bid", "max_station_bid"])
def test_create_round__cap_out_of_range__reverts(market: Market, stranger: str, side: str, cap: int) -> None:
    creation(market, stranger, **{side: cap}, bond=MAX_BOND).reverts_with("InvalidCap", cap=cap)


def test_create_round__bond_below_a_base_stations_cap__reverts(market: Market, stranger: str) -> None:
    creation(market, stranger, bond=50 * GWEI).send()
    creation(market, stranger, bond=50 * GWEI - 1).reverts_with(
        "BondOutOfRange", bond=50 * GWEI - 1, minimum=50 * GWEI, maximum=MAX_BOND
    )


@pytest.mark.parametrize("bond", [MAX_BOND + 1, MAX_BOND + GWEI, 2**256 - 1])
def test_create_round__bond_beyond_its_field__reverts(market: Market, stranger: str, bond: int) -> None:
    creation(market, stranger, bond=bond).reverts_with("BondOutOfRange", bond=bond, minimum=50 * GWEI, maximum=MAX_BOND)


@pytest.mark.parametrize("stake", [MAX_STAKE + 1, MAX_STAKE + GWEI, 2**256 - 1])
def test_create_round__stake_beyond_its_field__reverts(market: Market, stranger: str, stake: int) -> None:
    creation(market, stranger, contribution_stake=stake).reverts_with("StakeOutOfRange", stake=stake, maximum=MAX_STAKE)


@pytest.mark.parametrize("name", ["bond", "contribution_stake"])
@pytest.mark.parametrize("amount", [201 * GWEI - 1, 200 * GWEI + 1])
def test_create_round__fraction_of_a_gwei__reverts(market: Market, stranger: str, name: str, amount: int) -> None:
    creation(market, stranger, **{name: amount}).reverts_with("NotWholeGwei", amount=amount)


def test_create_round__no_membership_list__reverts(market: Market, stranger: str) -> None:
    market.call("createRound", terms(market).encode(), bytes(32), sender=stranger).reverts_with(
        "MembershipRootRequired"
    )


@pytest.mark.parametrize("surplus", [(1, 0), (9_999, 9_998), (0, 10_000), (10_000, 10_000), (0, 2**16 - 1)])
def test_create_round__no_range_of_theta__reverts(market: Market, stranger: str, surplus: tuple[int, int]) -> None:
    creation(market, stranger, surplus_bps=surplus).reverts_with(
        "InvalidSurplusRange", minBps=surplus[0], maxBps=surplus[1]
    )


@pytest.mark.parametrize("surplus", [(0, 1), (1, 1), (2_000, 6_000)])
def test_create_round__theta_under_capability__reverts(market: Market, stranger: str, surplus: tuple[int, int]) -> None:
    """Its shares would run against the weights."""
    creation(market, stranger, owner_policy=Policy.CAPABILITY, surplus_bps=surplus).reverts_with(
        "InvalidSurplusRange", minBps=surplus[0], maxBps=surplus[1]
    )


@pytest.mark.parametrize("bps", [0, 4_999, 10_000, 2**16 - 1])
def test_create_round__threshold_below_half_or_of_all__reverts(market: Market, stranger: str, bps: int) -> None:
    creation(market, stranger, threshold_bps=bps).reverts_with("InvalidThreshold", bps=bps)


@pytest.mark.parametrize("bps", [10_000, 2**16 - 1])
def test_create_round__tolerance_of_everything__reverts(market: Market, stranger: str, bps: int) -> None:
    creation(market, stranger, tolerance_bps=bps).reverts_with("InvalidTolerance", bps=bps)


@pytest.mark.parametrize("models", [0, 65, 255])
def test_create_round__models_out_of_range__reverts(market: Market, stranger: str, models: int) -> None:
    creation(market, stranger, max_models=models).reverts_with("InvalidMaxModels", maxModels=models)


NAMES = ("join", "commit", "reveal", "select", "train", "report", "vote")
SHORTEST = (60, 60, 240, 60, 60, 60, 60)


def shortest_from(now: int) -> list[int]:
    """Deadlines of phases that are as short as they may be."""
    return [now + sum(SHORTEST[: i + 1]) for i in range(7)]


@pytest.mark.parametrize("index", range(7))
def test_create_round__phase_a_second_too_short__reverts(market: Market, stranger: str, index: int) -> None:
    times = shortest_from(market.chain.now)
    moved = [time - 1 if i >= index else time for i, time in enumerate(times)]
    creation(market, stranger, deadlines=Deadlines(*moved)).reverts_with(
        "InvalidDeadline", index=index, deadline=times[index] - 1, earliest=times[index]
    )


@pytest.mark.parametrize("index", range(7))
def test_create_round__deadline_at_the_beginning_of_time__reverts(market: Market, stranger: str, index: int) -> None:
    times = shortest_from(market.chain.now)
    deadlines = Deadlines(*(0 if i == index else time for i, time in enumerate(times)))
    creation(market, stranger, deadlines=deadlines).reverts_with(
        "InvalidDeadline", index=index, deadline=0, earliest=times[index]
    )


def test_create_round__shortest_phases__accepted(market: Market, stranger: str) -> None:
    creation(market, stranger, deadlines=Deadlines(*shortest_from(market.chain.now))).send()
    assert market.view("roundOf", 1).phase == Phase.JOIN


@pytest.mark.parametrize("name", NAMES)
def test_create_round__ends_within_a_year__no_deadline_is_cut_short(market: Market, stranger: str, name: str) -> None:
    """Each gap in turn is nearly a year: the packed differences hold it."""
    now = market.chain.now
    short, moved = shortest_from(now), NAMES.index(name)
    times = [time if i < moved else time + now + YEAR - short[-1] for i, time in enumerate(short)]
    creation(market, stranger, deadlines=Deadlines(*times)).send()
    stored = market.view("termsOf", 1).terms.deadlines
    assert [getattr(stored, name) for name in NAMES] == times
    assert stored.vote == now + YEAR


def test_create_round__ends_after_a_year__reverts(market: Market, stranger: str) -> None:
    now = market.chain.now
    deadlines = replace(Deadlines.after(now, 100), vote=now + YEAR + 1)
    creation(market, stranger, deadlines=deadlines).reverts_with(
        "DeadlineTooFar", deadline=now + YEAR + 1, latest=now + YEAR
    )
    creation(market, stranger, deadlines=replace(deadlines, vote=now + YEAR)).send()
