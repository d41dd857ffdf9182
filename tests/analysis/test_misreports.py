"""What a lie brings, and the search for the best."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.mechanism import THETA_ONE, WEI_PER_GWEI
from analysis.misreports import RULES, Auction, best_lie, climb, obvious, utility

# The first example of PROOFS.md.
TRUTH = Auction(
    owner_bids=((10,), (10,)),
    base_bids=((0,), (0,)),
    theta_numerator=THETA_ONE // 2,
    max_owner_bid=20,
    max_base_bid=20,
)


def test_best_lie__the_papers_shares__found_on_both_sides() -> None:
    for rule in ("apart", "together"):
        for member in (0, 2):
            found = best_lie(RULES[rule], TRUTH, (member,), Random(0), 20)
            assert found.gain > 0
            assert 0 < found.profitable <= found.tried
            lied = RULES[rule](TRUTH.with_bids({member: found.rows[0]}))
            told = RULES[rule](TRUTH)
            assert utility(TRUTH, lied, member) - utility(TRUTH, told, member) == found.gain


def test_best_lie__ours__none() -> None:
    for member in range(4):
        found = best_lie(RULES["ours"], TRUTH, (member,), Random(0), 20)
        assert (found.profitable, found.gain) == (0, 0)


def test_best_lie__two_owners_together__each_lowers_the_others_share() -> None:
    """Truth leaves each 5. If they claim 1 and 0 the model is still worth it, one pays 0.5 and the other nothing."""
    pair = best_lie(RULES["ours"], TRUTH, (0, 1), Random(0), 300)
    assert sorted(pair.rows) == [(0,), (1,)]
    assert pair.gain == 19 * WEI_PER_GWEI // 2


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_climb__a_gain_with_one_peak__best_of_what_was_tried_and_within_caps(seed: int, cap: int) -> None:
    seen = {}

    def gain(rows: tuple[tuple[int, ...], ...]) -> int:
        seen[rows] = -abs(rows[0][0] - cap // 3) - rows[0][1]
        return seen[rows]

    found = climb(gain, obvious(((cap, cap),), (cap,)), (cap,), Random(seed), 50)
    assert found.tried == len(seen)
    assert found.gain == max(seen.values()) == seen[found.rows]
    assert all(0 <= bid <= cap for rows in seen for bid in rows[0])
