"""Gas of real receipts: the first targets at ten models, and the ceilings that nothing may break."""

from collections.abc import Iterator

import pytest

from fl.devnode.chain import TRANSACTION_GAS
from fl.devnode.market import Call, Market
from fl.devnode.rounds import CreateRound, LiveRound
from fl.market.membership import Entry
from fl.market.terms import Policy, Role
from tests.conftest import actor, rounds_on, untouched

MODELS = 10
LISTED = 2_000  # lines of the membership list: proofs have 11 hashes
LARGEST_CODE = 24_576

# Gas a call, ten models, equal policies. Settling: "first" where the account never had a free balance,
# "returning" where its slot is in use.
TARGETS = {
    "commit": 40_000,
    "join and commit": 80_000,
    "reveal": 55_000,
    "select": 62_000,
    "vote": 36_000,
    "settle alone, first": 95_000,
    "settle alone, returning": 95_000,
    "settle in a batch of 50, first": 45_000,
    "settle in a batch of 50, returning": 45_000,
}


@pytest.fixture(scope="module")
def gas(deployment: Market) -> Iterator[dict[str, int]]:
    """Gas of real receipts in one round of 27 a side."""
    with untouched(deployment):
        yield measure(large_round(rounds_on(deployment), 27))


def large_round(create_round: CreateRound, members: int) -> LiveRound:
    """So many members a side, ten models by the first ten owners; model 3 is worth most."""
    values = [tuple(40 + 7 * ((o + m) % 5) + (30 if m == 3 else 0) for m in range(MODELS)) for o in range(members)]
    costs = [tuple(1 + (s + 3 * m) % 11 for m in range(MODELS)) for s in range(members)]
    strangers = [Entry(actor(f"stranger {i}"), Role.OWNER) for i in range(LISTED - 2 * members)]
    return create_round(values, costs, proposers=range(MODELS), rooted=True, strangers=strangers)


def measure(round_: LiveRound) -> dict[str, int]:
    """What each call takes for a member that is neither the first nor the last of its side to make it."""
    market, last, station = round_.market, round_.owners[-1], round_.stations[-1]
    gas: dict[str, int] = {}

    def sent(call: Call) -> int:
        return call.send().gas_used

    round_.joined(but=[last])
    round_.committed(but=[last, round_.owners[-2]])
    gas["commit"] = sent(round_.commit_bid(round_.owners[-2]))
    gas["join and commit"] = sent(round_.join_and_commit(last))
    round_.revealed(but=[last, station])
    gas["reveal"] = max(sent(round_.reveal_bid(seat)) for seat in (last, station))
    with market.chain.snapshot():
        gas["select"] = sent(round_.select())
    round_.reported()
    round_.vote(round_.electors[0]).send()
    gas["vote"] = sent(round_.vote(round_.electors[1], punish=True))
    round_.wait_for("vote")

    settling = [*round_.owners[2:], *round_.stations[2:]]
    round_.settle_many([*round_.owners[:2], *round_.stations[:2]]).send()
    for kind in ("first", "returning"):
        with market.chain.snapshot():
            if kind == "returning":
                market.send_all([market.call("deposit", sender=seat.account, value=1) for seat in settling])
            with market.chain.snapshot():
                gas[f"settle alone, {kind}"] = max(sent(round_.settle(seat)) for seat in (settling[0], station))
            gas[f"settle in a batch of 50, {kind}"] = sent(round_.settle_many(settling)) // len(settling)
    assert len(settling) == 50
    return gas


@pytest.mark.parametrize("step", TARGETS)
def test_gas__ten_models__below_the_first_target(gas: dict[str, int], step: str) -> None:
    print(f"{step}: {gas[step]:,} gas, target {TARGETS[step]:,}")
    assert gas[step] <= TARGETS[step]


@pytest.mark.parametrize(
    ("owner_policy", "base_policy"),
    [
        (Policy.EQUAL, Policy.EQUAL),
        (Policy.CAPABILITY, Policy.CAPABILITY),
        (Policy.EQUAL, Policy.CONTRIBUTION),
    ],
)
def test_gas__64_models__every_call_fits_a_transaction(
    create_round: CreateRound, owner_policy: Policy, base_policy: Policy
) -> None:
    """Every transaction is sent with 2^24 gas and would fail above it; the dearest is named and has room."""
    models = 64
    round_ = create_round(
        owner_bids=[tuple(50 + (o + m) % 50 for m in range(models)) for o in range(models)],
        station_bids=[tuple((s + m) % 7 for m in range(models)) for s in range(3)],
        owner_points=range(1, models + 1) if owner_policy else None,
        station_points=(5, 6, 7) if base_policy is Policy.CAPABILITY else None,
        proposers=range(models),
        owner_policy=owner_policy,
        base_policy=base_policy,
    )
    members = (round_.owners[0], round_.owners[-1], round_.stations[0])
    with round_.market.recording() as receipts:
        round_.voted()
        for seat in members:
            round_.settle(seat).send()
    function, dearest = max(receipts, key=lambda entry: entry[1].gas_used)
    assert dearest.gas_used < TRANSACTION_GAS // 4, f"{function} takes {dearest.gas_used:,} gas"
    assert {name for name, _ in receipts} >= {"join", "revealBid", "selectModel", "vote", "settle"}


def test_gas__64_models__cancellation_and_rebates_fit_a_transaction(create_round: CreateRound) -> None:
    models = 64
    round_ = create_round(
        owner_bids=((0,) * models,) * models, station_bids=((0,) * models,) * 2, proposers=range(models)
    ).committed()
    round_.wait_for("select")
    with round_.market.recording() as receipts:
        round_.settle_many(round_.members).send()
        round_.claim_rebate(round_.owners[0]).send()
    assert max(receipt.gas_used for _, receipt in receipts) < TRANSACTION_GAS // 4


def test_gas__abort_with_64_models__fits_a_transaction(create_round: CreateRound) -> None:
    models = 64
    round_ = create_round(
        owner_bids=[tuple(50 + (o + m) % 50 for m in range(models)) for o in range(models)],
        station_bids=[tuple((s + m) % 7 for m in range(models)) for s in range(3)],
        owner_points=range(1, models + 1),
        proposers=range(models),
        owner_policy=Policy.CAPABILITY,
    ).trained()
    assert round_.wait_for("report").abort().send().gas_used < TRANSACTION_GAS // 4


def test_code__deployed__fits_the_limit(deployment: Market) -> None:
    size = len(deployment.chain.code_of(deployment.address))
    assert 0 < size <= LARGEST_CODE, f"{size:,} bytes"
