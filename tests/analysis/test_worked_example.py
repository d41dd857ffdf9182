"""The first page's example is a round that was played, and says of it what the mechanism does."""

import copy
import json
from typing import Any

import pytest

from analysis.worked_example import PAGE, ROUND, below_zero, page_with, text

AGAIN = "write it: `python -m analysis.worked_example`"


@pytest.fixture
def document() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(ROUND.read_text(encoding="utf-8"))
    return kept


def test_page__committed__shows_the_round_that_is_kept(document: dict[str, Any]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with(text(document), page), AGAIN


def test_round__kept__has_what_the_page_explains(document: dict[str, Any]) -> None:
    """A member that pays a Clarke tax, and a truthful one that ends below zero."""
    assert any(int(owner["tax"]) for owner in document["owners"])
    assert "| −" in text(document)


def test_text__a_tax_that_is_not_the_mechanisms__is_refused(document: dict[str, Any]) -> None:
    doctored = copy.deepcopy(document)
    doctored["owners"][2]["tax"] += 1
    with pytest.raises(ValueError, match="owner 2 tax is"):
        text(doctored)


def test_below_zero__more_rounds__about_the_same() -> None:
    """A thousand draws are enough for a figure without decimals, give or take two."""
    assert below_zero(1_000) == pytest.approx(below_zero(4_000), abs=0.02)
