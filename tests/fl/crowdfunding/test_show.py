"""What a round came to for a member, in a line."""

from dataclasses import replace
from typing import Any

import pytest

from analysis.worked_example import ROUND
from fl.crowdfunding.show import summary
from fl.market.terms import GWEI
from fl.record.document import MemberEntry, RoundDocument, read

PLAYED = read(ROUND)
"""The round of the first page: settled, everybody bid the truth."""


def member(entry: MemberEntry, change: float, **fields: Any) -> MemberEntry:
    """An entry of the document whose balance has changed by so many gwei."""
    blank = {"share": 0, "tax": 0, "slashed": 0, "bonus": 0, "lot": 0}
    return replace(
        entry, **{**blank, **fields}, balance_before=1000 * GWEI, balance_after=1000 * GWEI + round(change * GWEI)
    )


def owner(change: float, **fields: Any) -> MemberEntry:
    return member(PLAYED.owners[0], change, **fields)


def station(change: float, **fields: Any) -> MemberEntry:
    return member(PLAYED.base_stations[0], change, **fields)


def document(entry: MemberEntry, *, final: float = 0.9, status: str = "settled") -> RoundDocument:
    """A round with this member, of three global rounds."""
    assert PLAYED.training is not None
    training = replace(PLAYED.training, final_accuracy=final, claimed_accuracy=0.85) if status == "settled" else None
    return replace(PLAYED, owners=(entry,), base_stations=(), status=status, training=training)


def of_station(entry: MemberEntry) -> RoundDocument:
    return replace(document(owner(0)), base_stations=(entry,))


def test_summary__owner__counts_all_that_moved() -> None:
    entry = owner(-25.23 - 3.5, share=25_230_000_000, tax=3_500_000_000)
    line = summary(entry, 14, document(entry), 412_000)
    assert line == "model worth 14, paid 25.23, tax 3.50, received 0, net −14.73 gwei, gas 412,000"


def test_summary__claimant__counts_its_cost_and_names_the_lot() -> None:
    entry = station(25 + 4.06, share=-25 * GWEI, lot=4_060_000_000)
    line = summary(entry, 12, of_station(entry), 300_000)
    assert line == "training cost 12, tax 0, received 29.06 (with 4.06 lot), net 17.06 gwei, gas 300,000"


def test_summary__stakes__lost_or_won_are_named() -> None:
    won = station(25 + 2, share=-25 * GWEI, bonus=2 * GWEI)
    assert "received 27 (with 2 bonus), net 15 gwei" in summary(won, 12, of_station(won), 1)
    lost = station(25 - 7 - 1, share=-25 * GWEI, bonus=-7 * GWEI, tax=GWEI)
    assert "tax 1, lost of its stake 7, received 25, net 5 gwei" in summary(lost, 12, of_station(lost), 1)


def test_summary__model_below_its_claim__is_not_worth_its_full_value() -> None:
    entry = owner(-190, share=10 * GWEI, slashed=180 * GWEI)
    line = summary(entry, 17, document(entry, final=0.425), 1)
    assert line == (
        "model worth 8.50 of 17 (it failed its claim), paid 10, tax 0, lost of its bond 180, received 0, "
        "net −181.50 gwei, gas 1"
    )


def test_summary__absent_station__has_no_cost() -> None:
    entry = station(-90, recorded=0, slashed=90 * GWEI)
    line = summary(entry, 12, of_station(entry), 1)
    assert line == "trained nothing, tax 0, lost of its bond 90, received 0, net −90 gwei, gas 1"


def test_summary__station_that_left_early__has_part_of_its_cost() -> None:
    entry = station(5 - 60, recorded=1, share=-15 * GWEI, slashed=60 * GWEI)
    line = summary(entry, 12, of_station(entry), 1)
    assert line == "training cost 4, tax 0, lost of its bond 60, received 5, net −59 gwei, gas 1"


def test_summary__station_of_a_winner_that_never_reports__has_its_cost_once() -> None:
    entry = station(25, share=-25 * GWEI)
    aborted = replace(document(owner(0), status="aborted"), base_stations=(entry,))
    assert summary(entry, 12, aborted, 1) == "training cost 12, tax 0, received 25, net 13 gwei, gas 1"


@pytest.mark.parametrize("status", ["cancelled", "nothing trained", "aborted"])
def test_summary__no_model__is_worth_nothing(status: str) -> None:
    entry = owner(0)
    line = summary(entry, 14, document(entry, status=status), 1)
    assert line == "no model, tax 0, received 0, net 0 gwei, gas 1"
