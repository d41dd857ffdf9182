"""The claimant: what it seals, does and withholds moves nothing that is its own; and who is settled is out for good."""

from itertools import pairwise

import pytest

from analysis.devnode.chain import Reverted
from analysis.devnode.market import Call
from analysis.devnode.rounds import GLOBAL_ROUNDS, CreateRound, LiveRound, Seat
from fl.market.terms import GWEI, Role, Stage
from tests.support.reference import assert_settles_like_reference
from tests.support.utility import gains, utilities

COSTS = ((28, 2), (1, 14))  # of the two base stations that are not the claimant


@pytest.mark.parametrize("sealed", [(0, 0), (50, 50), (0, 50), (50, 0)], ids=str)
def test_claimant__whatever_it_has_sealed__moves_no_amount(create_round: CreateRound, sealed: tuple[int, int]) -> None:
    """East's bid is not opened: rewards, shares, taxes and its own lot are those of any other bid."""
    honest = create_round().voted()
    expected = gains(honest)
    with honest.market.chain.snapshot():
        round_ = create_round(station_bids=(*COSTS, sealed)).voted()
        assert gains(round_) == expected
        assert expected["east"] == (19 + 31.75) * GWEI, "reward and lot"


def test_claimant__seals_what_nobody_can_open__only_if_it_is_drawn_for_nothing(create_round: CreateRound) -> None:
    """Who commits to junk and hopes to be drawn has saved nothing if it is, and loses its bond if it is not."""
    told = {}
    for claimant in (2, 0):
        round_ = create_round(claimant=claimant).joined().wait_for("join")
        east = round_.stations[2]
        round_.market.send_all([round_.commit_bid(seat) for seat in round_.members if seat != east])
        round_.call("commitBid", b"\x99" * 32, sender=east).send()
        round_.committed(but=round_.members).drawn()
        round_.revealed(but=[east]).voted()
        with round_.market.chain.snapshot():
            told[claimant] = round_.settle(east).send().event("MemberSettled")
    assert (told[2]["slashed"], told[2]["reward"]) == (0, 19 * GWEI)
    assert (told[0]["slashed"], told[0]["reward"]) == (200 * GWEI, 0)


def test_claimant__withholds_its_work__loses_by_every_global_round_and_keeps_its_lot(create_round: CreateRound) -> None:
    """At the smallest bond, its cap of 50, and at the largest cost: training pays for it all the same."""
    reached, lots = [], []
    for recorded in range(GLOBAL_ROUNDS + 1):
        round_ = create_round(bond=50 * GWEI).selected()
        east = round_.claimant
        round_.trained(recorded={east: recorded}).voted()
        reached.append(utilities(round_, truth={"east": (50, 50)})["east"])
        with round_.market.chain.snapshot():
            round_.settled()
            lots.append(round_.lot)
    steps = [after - before for before, after in pairwise(reached)]
    assert min(steps) > 0, f"what each global round brings it, wei: {[float(step) for step in steps]}"
    assert set(lots) == {31.75 * GWEI}
    assert reached[-1] == (19 + 31.75 - 50) * GWEI


def test_claimant__withholds_its_work__nobody_waits_beyond_the_train_deadline(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    round_.trained(but=[round_.claimant])
    round_.report_result().reverts_with("UpdatesMissing", finished=2, required=3)
    assert_settles_like_reference(round_.reported().voted())


def late_calls(round_: LiveRound, seat: Seat) -> list[Call]:
    """All that a member could try once more."""
    calls = [
        round_.join(seat),
        round_.join_and_commit(seat),
        round_.commit_bid(seat),
        round_.reveal_bid(seat),
        round_.settle(seat, bids=round_.zeros),
    ]
    if seat.role is Role.OWNER:
        calls += [round_.propose(seat), round_.vote(seat), round_.report_result(seat), round_.record_global_round(seat)]
    else:
        calls += [round_.record_update(seat, g) for g in range(GLOBAL_ROUNDS + 1)]
    return calls


def assert_out(round_: LiveRound, seat: Seat) -> None:
    """It can do nothing any more, and nothing more comes out for it."""
    for call in late_calls(round_, seat):
        with pytest.raises(Reverted):
            call.returns()
    before = round_.state.escrow, round_.market.free(seat.account)
    assert round_.call("settleMany", [seat.account], round_.zeros, sender=seat).send().names == []
    assert (round_.state.escrow, round_.market.free(seat.account)) == before


def test_settled_members__come_back__every_door_is_shut(create_round: CreateRound) -> None:
    """Their slots are cleared, so that they look like strangers: to joins, which are over, and to all other calls."""
    round_ = create_round().voted()
    round_.settled()
    for seat in round_.members:
        assert round_.stage(seat) is (Stage.SETTLED if seat == round_.stations[2] else Stage.NONE)
        assert_out(round_, seat)


@pytest.mark.parametrize("when", ["commit", "drawn", "revealed", "trained", "reported"])
def test_released_members__come_back__every_door_is_shut(create_round: CreateRound, when: str) -> None:
    """Dave and west never committed and are released from the commit deadline on; then they try to be in after all."""
    round_ = create_round(
        ((30, 20), (30, 10), (12, 60), (1, 1)), ((28, 2), (1, 14), (1, 14), (1, 1)), claimant=2
    ).joined()
    dave, west = round_.owners[3], round_.stations[3]
    round_.committed(but=[dave, west]).wait_for("commit")
    if when != "commit":
        getattr(round_, when)()
    for seat in (dave, west):
        round_.settle(seat, bids=round_.zeros).send()
        assert round_.market.free(seat.account) == round_.lock(seat)
        assert_out(round_, seat)
    if when == "trained":
        round_.report_contributions({west: 0}).reverts_with("NotAMember", roundId=round_.id, account=west.account)
