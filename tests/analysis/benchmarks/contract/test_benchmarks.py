"""What the benchmarks are made of: bids that make members pay, records, the search for limits, the hour."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.benchmarks.contract import chart, page, records
from analysis.benchmarks.contract.figures import MODELS, TARGET_MODELS, TARGETS, Case
from analysis.benchmarks.contract.load import Block, Load
from analysis.benchmarks.contract.snapshot import Figures, SnapshotError, changes, read, write
from analysis.benchmarks.contract.stage import MAX_BASE_BID, MAX_OWNER_BID, contested_bids
from analysis.benchmarks.contract.throughput import BLOCK_GAS, Phase, largest_round
from analysis.mechanism import settle
from tests.support.pictures import assert_same_picture

CASE = Case("vote", "later")


@pytest.mark.parametrize("members", [2, 10, 40])
@pytest.mark.parametrize("models", [1, 2, 10])
def test_contested_bids__any_size__half_of_each_side_pays_a_tax(models: int, members: int) -> None:
    bids = contested_bids(models, members)
    result = settle(bids.owners, bids.stations, 2**63)
    assert result.selected == 0
    assert [tax > 0 for tax in result.taxes] == 2 * [member % 2 == 0 for member in range(members)]


@pytest.mark.parametrize("models", [1, 10])
def test_contested_bids__every_bid__has_two_bytes_that_are_not_zero(models: int) -> None:
    bids = contested_bids(models, 6)
    for row, cap in [(row, MAX_OWNER_BID) for row in bids.owners] + [(row, MAX_BASE_BID) for row in bids.stations]:
        assert all(bid <= cap and bid >> 8 and bid & 0xFF for bid in row), row


def test_contested_bids__odd_side__refused() -> None:
    with pytest.raises(ValueError, match="7 members a side"):
        contested_bids(2, 7)


# ── the record of gas ──


def figures(gas: int) -> Figures:
    return Figures({CASE: {10: gas}}, {})


def test_record__written_and_read__is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "gas.json"
    measured = Figures({CASE: {1: 5, 10: 6}, Case("settle", "owner, new, no tax"): {10: 7}}, {CASE: {10: 8}})
    write(measured, path)
    assert read(path) == measured
    assert sum('"vote: later"' in line for line in path.read_text().splitlines()) == 2, "one line a case"


def test_record__missing_or_broken__says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="bench_gas --write"):
        read(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text('{"hcfl": {}}')
    with pytest.raises(SnapshotError, match="bench_gas --write"):
        read(tmp_path / "broken.json")


@pytest.mark.parametrize(("now", "within"), [(10_100, True), (10_101, False), (9_900, True), (9_899, False)])
def test_changes__other_gas__within_one_percent_or_not(now: int, within: bool) -> None:
    (change,) = changes(figures(10_000), figures(now))
    assert (change.before, change.now, change.within) == (10_000, now, within)


def test_changes__case_gone_or_new__is_never_within() -> None:
    other = Figures({replace(CASE, who="first"): {10: 10_000}}, {})
    found = changes(figures(10_000), other)
    assert [(change.case.who, change.within) for change in found] == [("first", False), ("later", False)]


def test_changes__same_gas__none() -> None:
    assert not changes(figures(10_000), figures(10_000))


def test_record__committed__has_every_target_at_ten_models_and_cases_at_all() -> None:
    recorded = read()
    assert not TARGETS.keys() - recorded.hcfl.keys()
    assert all(TARGET_MODELS in recorded.hcfl[case] for case in TARGETS)
    assert set(MODELS) == {models for row in recorded.hcfl.values() for models in row}


# ── whole rounds ──


def test_page__committed__shows_what_is_recorded() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), f"write it: `python -m {page.__name__}`"


def test_chart__committed__is_drawn_from_the_committed_rounds(tmp_path: Path) -> None:
    drawn = chart.draw(records.read_rounds(), tmp_path / "chart")
    assert_same_picture(drawn, chart.CHART.with_suffix(".svg"), again="python -m analysis.benchmarks.contract.chart")


def test_rounds__committed__naive_contract_ends_between_two_rounds_that_were_played() -> None:
    rounds = records.read_rounds()
    assert [size.members for size in rounds.sizes][0::10] == [4, 2_000]
    assert len(rounds.fits) == 2
    for fit in rounds.fits.values():
        assert fit.gas <= fit.limit
        assert fit.fails_at == fit.members + 4
        smaller = [size for size in rounds.sizes if size.naive_largest <= fit.limit]
        larger = [size for size in rounds.sizes if size.naive_largest > fit.limit]
        assert smaller[-1].members <= fit.members < larger[0].members
    assert all(size.hcfl_largest < 2**24 for size in rounds.sizes)


def test_scale__committed__no_call_grew() -> None:
    recorded = json.loads(records.SCALE.read_text(encoding="utf-8"))
    assert recorded["members"] == {"small": 20, "large": 2_000}
    for call, row in recorded["calls"].items():
        assert row["large"] <= 1.01 * row["small"], call


# ── loads ──


def load(*blocks: Block, block_seconds: int | None = 2, each: int = 1) -> Load:
    transactions = sum(block.transactions for block in blocks)
    return Load(block_seconds, transactions, transactions * each, 0.1, blocks)


def test_load__with_a_clock__counts_inner_blocks_alone() -> None:
    measured = load(Block(1, 3, 10), Block(3, 8, 30), Block(5, 12, 20), Block(7, 1, 5), each=5)
    assert measured.a_second == 5 * (8 + 12) / (5 - 1)
    assert measured.fill(100) == 0.25


def test_load__with_a_clock_and_no_inner_block__counts_the_fullest() -> None:
    measured = load(Block(1, 3, 10), Block(3, 8, 30))
    assert measured.a_second == 8 / 2
    assert measured.fill(100) is None


def test_load__without_a_clock__counts_all_of_it() -> None:
    assert load(Block(4, 8, 30), block_seconds=None).a_second == 2


def test_largest_round__one_more_member__needs_more_blocks_than_an_hour_has() -> None:
    steps = [Phase("commit", 1, 35_000), Phase("select", 0, 54_000), Phase("vote", 0.5, 35_000)]
    found = largest_round(steps, 0.9)
    assert sum(found.blocks.values()) <= 300
    assert found.blocks["select"] == 1

    def blocks(members: int) -> int:
        return sum(max(1, -(-members * s.calls * s.gas // (BLOCK_GAS * 0.9))) for s in steps)

    assert blocks(found.members) <= 300 < blocks(found.members + 1)
