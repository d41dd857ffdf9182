"""`contracts/protocol.md`: every call and error of the contract is on it, and its numbers are the contract's."""

import re

import pytest

from analysis.devnode.market import Market
from tests.support.pages import ROOT, Page, text

PAGE = Page(ROOT / "contracts" / "protocol.md")
INTERFACE = text(ROOT / "contracts" / "interfaces" / "IHCFL.sol")


def changing_calls() -> dict[str, list[str]]:
    """Functions of the interface that are no views, with the names of their parameters."""
    declared = re.findall(r"function (\w+)\(([^)]*)\)\s+external([^;]*);", INTERFACE)
    return {
        name: [parameter.split()[-1] for parameter in parameters.split(",") if parameter.strip()]
        for name, parameters, kind in declared
        if "view" not in kind and "pure" not in kind
    }


def test_page__calls__all_of_them_with_their_parameters() -> None:
    calls = changing_calls()
    assert len(calls) > 15
    missing = [f"{name}({', '.join(names)})" for name, names in calls.items()]
    missing = [call for call in missing if f"`{call}`" not in PAGE.text]
    assert not missing, f"not on the page as they are declared: {missing}"


def test_page__errors__all_of_them_and_no_others(deployment: Market) -> None:
    part = PAGE.text.split("## What a call refuses", 1)[1].split("\n## ", 1)[0]
    named = set(re.findall(r"`([A-Z]\w+)`", part))
    assert named == deployment.codec.errors


def test_page__refusals__every_call_has_its_row() -> None:
    rows = PAGE.rows(after="## What a call refuses", before="## Storage")
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[0])} == set(changing_calls())


def test_page__links_and_code__exist() -> None:
    assert len(PAGE.links) > 8
    assert not PAGE.missing_files() + PAGE.missing_code()


@pytest.mark.parametrize(
    ("file", "declared", "told"),
    [
        ("Rounds.sol", "SHORTEST_PHASE = 60", "at least 60 seconds"),
        ("Rounds.sol", "SHORTEST_REVEAL_PHASE = 240", "the reveal phase 240"),
        ("Rounds.sol", "DRAW_DELAY = 60", "commit deadline + 60 seconds"),
        ("types/Ledger.sol", "MAX_ESCROW = 2 ** 96 - 1", "at most 2^96−1 wei"),
        ("types/Terms.sol", "MAX_CAP = 2 ** 44 - 1", "1 … 2^44−1"),
        ("types/Terms.sol", "MAX_BOND = (2 ** 54 - 1) * 1 gwei", "2^54−1 gwei"),
        ("types/Member.sol", "SEALED = 74", "182 bits"),
    ],
)
def test_page__numbers__are_the_contracts(file: str, declared: str, told: str) -> None:
    assert declared in text(ROOT / "contracts" / file)
    assert told in PAGE.text
