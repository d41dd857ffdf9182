"""`createRound`: what it stores and announces, and every parameter that it refuses."""

from dataclasses import replace

import pytest
from eth_abi import encode
from eth_utils import keccak

from analysis.devnode.market import Call, Market
from fl.market.terms import GWEI, Deadlines, Phase, Policy, Role, RoundTerms, Status

MAX_CAP = 2**44 - 1
MAX_BOND = 2**89 - 1
YEAR = 365 * 24 * 60 * 60


def terms(market: Market, **changes: object) -> RoundTerms:
    """Terms that are accepted, but for the changes."""
    accepted = RoundTerms(
        max_owner_bid=100, max_base_bid=50, bond=200 * GWEI, deadlines=Deadlines.after(market.chain.now, 100)
    )
    return replace(accepted, **changes)  # type: ignore[arg-type]


def creation(market: Market, stranger: str, **changes: object) -> Call:
    return market.call("createRound", terms(market, **changes).encode(), sender=stranger)


def test_create_round__valid_terms__round_open_for_joining(market: Market, stranger: str) -> None:
    creation(market, stranger).send()
    state = market.view("roundOf", 1)
    assert market.view("roundCount") == 1
    assert (state.status, state.phase) == (Status.OPEN, Phase.JOIN)
    assert (state.modelCount, state.live, state.recorders, state.settled, state.escrow) == (0, 0, 0, 0, 0)
    assert (state.committed, state.revealed, state.points) == ([0, 0], [0, 0], [0, 0])
    assert (state.votesFor, state.votesCast, state.guided) == (0, 0, False)


def test_create_round__valid_terms__event_carries_all_terms(market: Market, stranger: str) -> None:
    chosen = terms(
        market,
        owner_policy=Policy.CAPABILITY,
        base_policy=Policy.CONTRIBUTION,
        punish_threshold_bps=3_333,
        max_models=7,
        membership_root=keccak(text="root"),
    )
    event = market.call("createRound", chosen.encode(), sender=stranger).send().event("RoundCreated")
    assert (event["roundId"], event["creator"]) == (1, stranger)
    assert event["thetaNumerator"] == market.view("roundOf", 1).thetaNumerator
    params = event["params"]
    assert (params.maxOwnerBid, params.maxBaseBid, params.bond) == (100, 50, 200 * GWEI)
    assert (params.ownerPolicy, params.basePolicy) == (Policy.CAPABILITY, Policy.CONTRIBUTION)
    assert (params.punishThresholdBps, params.maxModels) == (3_333, 7)
    assert params.membershipRoot == keccak(text="root")
    assert Deadlines(**vars(params.deadlines)) == chosen.deadlines


def test_create_round__twice__ids_count_up_from_one(market: Market, stranger: str) -> None:
    ids = [creation(market, stranger).send().event("RoundCreated")["roundId"] for _ in range(3)]
    assert ids == [1, 2, 3]
    assert market.view("roundCount") == 3


def test_create_round__any__theta_drawn_from_prevrandao(market: Market, stranger: str) -> None:
    drawn = creation(market, stranger).send().event("RoundCreated")["thetaNumerator"]
    randao = bytes.fromhex(market.chain.rpc("eth_getBlockByNumber", "latest", False)["mixHash"][2:])
    expected = int.from_bytes(keccak(encode(["bytes32", "uint256"], [randao, 1])), "big") % 2**64
    assert drawn == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"max_owner_bid": 1, "max_base_bid": 1, "bond": GWEI},
        {"max_owner_bid": MAX_CAP, "max_base_bid": MAX_CAP, "bond": MAX_CAP * GWEI},
        {"bond": MAX_BOND},
        {"punish_threshold_bps": 0},
        {"punish_threshold_bps": 9_999},
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
@pytest.mark.parametrize("side", ["max_owner_bid", "max_base_bid"])
def test_create_round__cap_out_of_range__reverts(market: Market, stranger: str, side: str, cap: int) -> None:
    creation(market, stranger, **{side: cap}, bond=MAX_BOND).reverts_with("InvalidCap", cap=cap)


def test_create_round__bond_below_a_base_stations_cap__reverts(market: Market, stranger: str) -> None:
    creation(market, stranger, bond=50 * GWEI).send()
    creation(market, stranger, bond=50 * GWEI - 1).reverts_with(
        "BondOutOfRange", bond=50 * GWEI - 1, minimum=50 * GWEI, maximum=MAX_BOND
    )


def test_create_round__contribution_bond_below_twice_the_cap__reverts(market: Market, stranger: str) -> None:
    changes = {"base_policy": Policy.CONTRIBUTION, "membership_root": keccak(text="root")}
    creation(market, stranger, **changes, bond=100 * GWEI).send()
    creation(market, stranger, **changes, bond=100 * GWEI - 1).reverts_with(
        "BondOutOfRange", bond=100 * GWEI - 1, minimum=100 * GWEI, maximum=MAX_BOND
    )


@pytest.mark.parametrize("bond", [MAX_BOND + 1, 2**256 - 1])
def test_create_round__bond_beyond_its_field__reverts(market: Market, stranger: str, bond: int) -> None:
    creation(market, stranger, bond=bond).reverts_with("BondOutOfRange", bond=bond, minimum=50 * GWEI, maximum=MAX_BOND)


def test_create_round__owners_by_contribution__reverts(market: Market, stranger: str) -> None:
    creation(market, stranger, owner_policy=Policy.CONTRIBUTION, membership_root=keccak(text="root")).reverts_with(
        "InvalidPolicy", role=Role.OWNER, policy=Policy.CONTRIBUTION
    )


@pytest.mark.parametrize(
    ("side", "role", "policy"),
    [
        ("owner_policy", Role.OWNER, Policy.CAPABILITY),
        ("base_policy", Role.BASE_STATION, Policy.CAPABILITY),
        ("base_policy", Role.BASE_STATION, Policy.CONTRIBUTION),
    ],
)
def test_create_round__weights_without_a_root__reverts(
    market: Market, stranger: str, side: str, role: Role, policy: Policy
) -> None:
    creation(market, stranger, **{side: policy}).reverts_with("MembershipRootRequired", role=role, policy=policy)


@pytest.mark.parametrize("bps", [10_000, 10_001, 2**16 - 1])
def test_create_round__threshold_of_all_or_more__reverts(market: Market, stranger: str, bps: int) -> None:
    creation(market, stranger, punish_threshold_bps=bps).reverts_with("InvalidThreshold", bps=bps)


@pytest.mark.parametrize("models", [0, 65, 255])
def test_create_round__models_out_of_range__reverts(market: Market, stranger: str, models: int) -> None:
    creation(market, stranger, max_models=models).reverts_with("InvalidMaxModels", maxModels=models)


def test_create_round__join_deadline_not_in_the_future__reverts(market: Market, stranger: str) -> None:
    now = market.chain.now
    deadlines = replace(Deadlines.after(now, 100), join=now)
    creation(market, stranger, deadlines=deadlines).reverts_with("InvalidDeadline", index=0, deadline=now, after_=now)


NAMES = ("join", "commit", "reveal", "select", "train", "report", "vote")


@pytest.mark.parametrize("index", range(1, 7))
def test_create_round__deadline_not_after_the_one_before__reverts(market: Market, stranger: str, index: int) -> None:
    deadlines = Deadlines.after(market.chain.now, 100)
    before = getattr(deadlines, NAMES[index - 1])
    creation(market, stranger, deadlines=replace(deadlines, **{NAMES[index]: before})).reverts_with(
        "InvalidDeadline", index=index, deadline=before, after_=before
    )


def test_create_round__deadlines_a_second_apart__accepted(market: Market, stranger: str) -> None:
    creation(market, stranger, deadlines=Deadlines.after(market.chain.now, 1)).send()
    assert market.view("roundOf", 1).phase == Phase.JOIN


@pytest.mark.parametrize("name", NAMES)
def test_create_round__ends_within_a_year__no_deadline_is_cut_short(market: Market, stranger: str, name: str) -> None:
    """Each gap in turn is nearly a year: the packed differences hold it. Later ones: `test_deadlines.py`."""
    now = market.chain.now
    moved = NAMES.index(name)
    times = [now + 1 + i if i < moved else now + YEAR - 6 + i for i in range(7)]
    event = creation(market, stranger, deadlines=Deadlines(*times)).send().event("RoundCreated")
    assert event["params"].deadlines.vote == now + YEAR
    market.call("joinAndCommit", 1, 0, 1, [], [], bytes(32), sender=stranger).reverts_with(
        "PhaseNotOpen", roundId=1, opensAt=times[0]
    )
    market.call("revealBid", 1, [0], bytes(32), sender=stranger).reverts_with(
        "PhaseNotOpen", roundId=1, opensAt=times[1]
    )


def test_create_round__ends_after_a_year__reverts(market: Market, stranger: str) -> None:
    now = market.chain.now
    deadlines = replace(Deadlines.after(now, 100), vote=now + YEAR + 1)
    creation(market, stranger, deadlines=deadlines).reverts_with(
        "DeadlineTooFar", deadline=now + YEAR + 1, latest=now + YEAR
    )
    creation(market, stranger, deadlines=replace(deadlines, vote=now + YEAR)).send()
