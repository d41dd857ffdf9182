"""Amounts and times as people read them."""

from fl.market.terms import GWEI
from fl.market.words import gwei, short_gwei


def test_short_gwei__rounds__but_never_to_minus_nothing() -> None:
    assert [short_gwei(wei) for wei in (0, -1, 14 * GWEI, -7_170_000_001, 1_234_567_000_000)] == [
        "0", "0", "14", "−7.17", "1,234.57"
    ]  # fmt: skip
    assert gwei(-1) == "−0.000000001"
