"""What a round came to for a member, in a line."""

from typing import Any

import pytest

from fl.crowdfunding.show import gwei, short_gwei, summary
from fl.market.terms import GWEI

OWNER = {"share": 25_230_000_000, "tax": 0, "slashed": 0, "recorded": False}
STATION = {"share": -25_000_000_000, "tax": 2 * GWEI, "slashed": 0, "recorded": True}


def member(entry: dict[str, Any], change: float) -> dict[str, Any]:
    """An entry of the document whose balance has changed by so many gwei."""
    return {**entry, "balance_before": 1000 * GWEI, "balance_after": 1000 * GWEI + round(change * GWEI)}


def document(
    owner: dict[str, Any], station: dict[str, Any], *, final: float = 0.9, status: str = "settled"
) -> dict[str, Any]:
    training = {"final_accuracy": final, "claimed_accuracy": 0.85} if status == "settled" else None
    return {"owners": [owner], "base_stations": [station], "status": status, "training": training}


def test_summary__owner__counts_all_that_moved() -> None:
    """The rebate is in: 14 − 25.23 + 4.06."""
    owner = member(OWNER, -25.23 + 4.06)
    line = summary(owner, 14, document(owner, STATION), 412_000)
    assert line == "model worth 14, paid 25.23, tax 0, received 4.06, net −7.17 gwei, gas 412,000"


def test_summary__base_station__counts_its_cost_tax_and_rebate() -> None:
    station = member(STATION, 25 - 2 + 1.5)
    line = summary(station, 12, document(OWNER, station), 300_000)
    assert line == "training cost 12, tax 2, received 26.50, net 12.50 gwei, gas 300,000"


def test_summary__model_below_its_claim__is_not_worth_its_full_value() -> None:
    owner = member({**OWNER, "share": 10 * GWEI, "slashed": 180 * GWEI}, -190)
    line = summary(owner, 17, document(owner, STATION, final=0.425), 1)
    assert line == (
        "model worth 8.50 of 17 (it failed its claim), paid 10, tax 0, lost of its bond 180, received 0, "
        "net −181.50 gwei, gas 1"
    )


def test_summary__absent_station__has_no_cost() -> None:
    station = member({**STATION, "recorded": False, "slashed": 90 * GWEI, "tax": 0}, -90)
    line = summary(station, 12, document(OWNER, station), 1)
    assert line == "trained nothing, tax 0, lost of its bond 90, received 0, net −90 gwei, gas 1"


@pytest.mark.parametrize("status", ["cancelled", "nothing trained", "aborted"])
def test_summary__no_model__is_worth_nothing(status: str) -> None:
    owner = member({**OWNER, "share": 0}, 0)
    line = summary(owner, 14, document(owner, STATION, status=status), 1)
    assert line == "no model, tax 0, received 0, net 0 gwei, gas 1"


def test_short_gwei__rounds__but_never_to_minus_nothing() -> None:
    assert [short_gwei(wei) for wei in (0, -1, 14 * GWEI, -7_170_000_001, 1_234_567_000_000)] == [
        "0", "0", "14", "−7.17", "1,234.57"
    ]  # fmt: skip
    assert gwei(-1) == "−0.000000001"
