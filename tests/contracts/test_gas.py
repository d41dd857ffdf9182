"""Gas of real receipts: as recorded, below the targets, and below the ceilings that nothing may break."""

from typing import Any

import pytest

from analysis.benchmarks.contract.cases import ABOVE, TARGET_MODELS, TARGETS, Case
from analysis.benchmarks.contract.naive import deploy_naive
from analysis.benchmarks.contract.snapshot import COMMAND, Change, Figures, changes, measure_all, read
from analysis.devnode.anvil import anvil
from analysis.devnode.chain import TRANSACTION_GAS
from analysis.devnode.deployment import artefact_of, deploy
from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound
from fl.market.terms import Policy

LARGEST_CODE = 23_000  # what is aimed at; a chain takes 24,576
RECORDED = read()
CALLS = sorted({case.call for case in RECORDED.hcfl})


@pytest.fixture(scope="module")
def figures(compiled: Any) -> Figures:
    """Every case of both contracts, measured now, on a node that records no steps: ape's does, and takes minutes."""
    with anvil() as chain:
        return measure_all(deploy(chain, artefact_of(compiled)), deploy_naive(chain))


@pytest.fixture(scope="module")
def changed(figures: Figures) -> list[Change]:
    """What is not as it was recorded."""
    return changes(RECORDED, figures)


@pytest.mark.parametrize("call", CALLS)
def test_gas__each_call__within_one_percent_of_the_record(changed: list[Change], call: str) -> None:
    off = [str(change) for change in changed if change.case.call == call and not change.within]
    assert not off, f"record it with `{COMMAND}`, if it is right:\n" + "\n".join(off)


def test_gas__cases_measured__are_the_cases_recorded(figures: Figures) -> None:
    assert figures.hcfl.keys() == RECORDED.hcfl.keys()
    assert figures.naive.keys() == RECORDED.naive.keys()


def test_gas__record__has_every_call_that_changes_state(compiled: Any) -> None:
    changing = {method.name for method in compiled.contract_type.mutable_methods}
    assert changing == set(CALLS)


@pytest.mark.parametrize("case", TARGETS, ids=str)
def test_gas__ten_models__meets_its_target(figures: Figures, case: Case) -> None:
    gas, target = figures.hcfl[case][TARGET_MODELS], TARGETS[case]
    if case in ABOVE:
        assert gas > target, f"{case} takes {gas:,} gas and meets its target now: take it out of ABOVE"
    else:
        assert gas <= target, f"{case} takes {gas:,} gas, its target is {target:,}"


@pytest.mark.parametrize("owner_policy", Policy)
def test_gas__64_models__every_call_fits_a_transaction(create_round: CreateRound, owner_policy: Policy) -> None:
    """Every transaction is sent with 2^24 gas and would fail above it; the dearest is named and has room."""
    models = 64
    round_ = create_round(
        owner_bids=[tuple(50 + (o + m) % 50 for m in range(models)) for o in range(models)],
        station_bids=[tuple((s + m) % 7 for m in range(models)) for s in range(3)],
        owner_points=range(1, models + 1) if owner_policy else None,
        proposers=range(models),
        owner_policy=owner_policy,
    )
    members = (round_.owners[0], round_.owners[-1], *round_.stations)
    with round_.market.recording() as receipts:
        round_.voted()
        for seat in members:
            round_.settle(seat).send()
        round_.claim_lot().send()
    function, dearest = max(receipts, key=lambda entry: entry[1].gas_used)
    assert dearest.gas_used < TRANSACTION_GAS // 4, f"{function} takes {dearest.gas_used:,} gas"
    assert {name for name, _ in receipts} >= {"join", "drawClaimant", "revealBid", "selectModel", "vote", "settle"}


def test_gas__64_models__cancellation_fits_a_transaction(create_round: CreateRound) -> None:
    models = 64
    round_ = create_round(
        owner_bids=((0,) * models,) * models, station_bids=((0,) * models,) * 3, proposers=range(models)
    ).committed()
    round_.wait_for("select")
    with round_.market.recording() as receipts:
        round_.settle_many(round_.members).send()
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
