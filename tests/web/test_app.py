"""The server of the live page, asked for what is not there."""

from collections import defaultdict
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from analysis.devnode.market import Market as Devnode
from analysis.report.page import environment
from tests.support.client import client_of
from web.app import Board
from web.browser.serving import serving
from web.reader import Snapshot


def test_board__asked_for_any_number__keeps_nothing_of_it() -> None:
    """Whoever looks chooses the numbers: what is kept for each would take all memory."""
    board = Board(Snapshot, environment(), 1, defaultdict(str))
    for number in range(100):
        assert "round" in board.round(number).lower()
    assert not board._made


@pytest.mark.parametrize("part", ["", "/events", "/report", "/take-part", "/members/0x00"])
def test_round__number_that_is_none__is_not_found(market: Devnode, part: str, caplog: pytest.LogCaptureFixture) -> None:
    with serving(client_of(market)) as address:
        for number in ("9" * 5_000, "9" * 79, "-1", "x", "%D9%A3"):
            with pytest.raises(HTTPError) as refused, urlopen(f"{address}/rounds/{number}{part}", timeout=10):
                pass
            assert refused.value.code == 404, number
    assert not caplog.records, "no traceback is logged"
