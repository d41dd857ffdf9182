"""`analysis/PAPER.md`: what it names exists, and its counterexamples and numbers are true."""

import re
from fractions import Fraction

from hypothesis import given

from analysis.figures.catalogue import figure
from analysis.figures.figure import Setting
from analysis.figures.record import read
from analysis.literal import together
from analysis.mechanism import WEI_PER_GWEI, Bids, Settlement, settle
from tests.analysis.page_formulas import claims_at, estimate_at
from tests.analysis.round_strategies import Auction, auctions
from tests.support.pages import ROOT, Page

PAGE = Page(ROOT / "analysis" / "PAPER.md")
DEPARTURES, FIGURES = "## Where we depart", "## The paper's figures"
HALF = 2**63  # numerator of theta 1/2


def test_page__all_that_it_names__exists() -> None:
    assert len(PAGE.named_tests) > 50
    assert len(PAGE.named_code) > 60
    assert not PAGE.missing_tests()
    assert not PAGE.missing_files()
    assert not PAGE.missing_code()


def test_page__every_row_of_equations_and_steps__names_a_test() -> None:
    rows = [row for row in PAGE.rows(before=DEPARTURES) if row[0] != "Table I"]
    assert len(rows) > 30
    assert not [row[0] for row in rows if "::test_" not in row[-1]]


def test_page__quotes_of_figures__are_what_their_data_say() -> None:
    quotes = 0
    for row in PAGE.rows(after=FIGURES):
        for name, setting, said in re.findall(r"`([\w-]+)`, (\w+): ((?:“[^”]+”[, ]*)+)", row[-1]):
            true = {claim.text for claim in figure(name).claims(read(name, Setting(setting))["data"]) if claim.holds}
            for quote in re.findall(r"“([^”]+)”", said):
                quotes += 1
                assert quote in true, f"{name}, {setting} does not say: {quote}"
    assert quotes == PAGE.text.count("“") > 4


# ── counterexamples, gwei ──


def keeps(worth: int, payment: Fraction | int) -> Fraction:
    """Of a model that it values so much, gwei."""
    return worth - Fraction(payment) / WEI_PER_GWEI


def ours(owner_bids: Bids, station_bids: Bids, theta_numerator: int) -> Settlement:
    """The last base station stands aside."""
    return settle(owner_bids, station_bids, theta_numerator, claimant=2)


def test_shares__of_the_drawn_payment__pay_a_lie() -> None:
    costs = [[3], [3], [2]]
    for rule, by_the_truth, by_the_lie in (
        (together, 3, Fraction(11, 2)),
        (ours, Fraction(11, 4), Fraction(11, 4)),
    ):
        assert keeps(10, rule([[10], [10]], costs, HALF).payments[0]) == by_the_truth
        assert keeps(10, rule([[0], [10]], costs, HALF).payments[0]) == by_the_lie


def test_each_side_taxed_alone__pays_a_lie_that_one_auction_does_not() -> None:
    def taxes(claim: int) -> tuple[Fraction, Fraction]:
        """Of the first owner: by its own side alone, and by all. The other owner's value is 0."""
        decided = ours([[claim], [0]], [[2], [2], [2]], HALF)
        assert decided.selected == 0
        assert decided.shares[0] == Fraction(3, 2) * WEI_PER_GWEI, "independent of its claim"
        others_pay = decided.pool - decided.shares[0]
        return others_pay / WEI_PER_GWEI, Fraction(decided.taxes[0], WEI_PER_GWEI)

    assert taxes(10) == (Fraction(13, 2), Fraction(9, 2))
    assert taxes(7) == (5, Fraction(9, 2))


def test_participation__average_is_positive__a_truthful_member_loses() -> None:
    decided = ours([[10], [0]], [[2], [2], [2]], HALF)
    assert decided.selected == 0
    assert keeps(0, decided.payments[1]) == Fraction(-13, 2)


@given(auctions())
def test_averages__any_round__before_tax_neither_side_loses(auction: Auction) -> None:
    """Equations 5 and 6, for the costs as they are estimated from all but the claimant's."""
    decided = auction.settle()
    if decided.selected is not None:
        value = sum(claims_at(auction, decided.selected)[0])
        assert estimate_at(auction, decided.selected) <= decided.pool <= value
