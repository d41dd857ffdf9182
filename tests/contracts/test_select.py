"""`selectModel`: the largest positive margin of a live model, ties, when it opens and closes."""

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound
from fl.market.terms import GWEI, Phase, Status


def test_select__everybody_revealed__model_of_the_largest_margin(create_round: CreateRound) -> None:
    round_ = create_round().revealed()
    receipt = round_.select().send()
    assert receipt.names == ["ModelSelected"]
    assert receipt.event("ModelSelected") == {
        "roundId": round_.id,
        "winner": round_.owners[1].account,
        "model": 1,
        "margin": 60 * GWEI,
    }
    state = round_.state
    assert (state.status, state.phase, state.selected) == (Status.TRAINING, Phase.TRAIN, 1)


def test_select__by_a_stranger__anyone_may(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().revealed()
    round_.call("selectModel", sender=stranger).send()
    assert round_.state.status == Status.TRAINING


@pytest.mark.parametrize("best", range(9))
def test_select__nine_models__each_can_win(create_round: CreateRound, best: int) -> None:
    """Two words of lanes and a bit: the best is found wherever it stands."""
    values = tuple(20 if m == best else 19 for m in range(9))
    round_ = create_round(
        owner_bids=(values,) + ((0,) * 9,) * 8, station_bids=((1,) * 9,) * 2, proposers=range(9)
    ).selected()
    assert round_.state.selected == best


@pytest.mark.parametrize(("values", "selected"), [((30, 40, 40), 1), ((40, 40, 40), 0), ((1, 2, 40), 2)])
def test_select__tie__lowest_index(create_round: CreateRound, values: tuple[int, ...], selected: int) -> None:
    round_ = create_round(
        owner_bids=(values, (0, 0, 0), (0, 0, 0)),
        station_bids=((0, 0, 0), (0, 0, 0)),
        proposers=range(3),
    ).selected()
    assert round_.state.selected == selected


@pytest.mark.parametrize("cost", [60, 61])
def test_select__no_positive_margin__nothing_trained(create_round: CreateRound, cost: int) -> None:
    """A margin of 0 is not positive."""
    round_ = create_round(owner_bids=((30,), (30,)), station_bids=((cost - 20,), (20,)), proposers=(0,)).revealed()
    receipt = round_.select().send()
    assert receipt.names == ["NothingSelected"]
    assert receipt.event("NothingSelected") == {"roundId": round_.id}
    assert (round_.state.status, round_.state.phase) == (Status.NOTHING_TRAINED, Phase.SETTLE)


def test_select__margin_of_one_gwei__selected(create_round: CreateRound) -> None:
    round_ = create_round(owner_bids=((30,), (30,)), station_bids=((39,), (20,)), proposers=(0,)).revealed()
    assert round_.select().send().event("ModelSelected")["margin"] == GWEI


def test_select__proposer_never_committed__its_model_does_not_exist(create_round: CreateRound) -> None:
    round_ = create_round().joined()
    round_.committed(but=[round_.owners[1]]).selected()
    # Without bob model 1 would still lead, 80 − 30 against 42 − 30.
    state = round_.state
    assert (state.selected, state.live) == (0, 0b01)


def test_select__proposer_never_revealed__its_model_can_win(create_round: CreateRound) -> None:
    round_ = create_round().committed()
    round_.revealed(but=[round_.owners[1]]).selected()
    assert round_.state.selected == 1
    assert round_.winner is round_.owners[1]


def test_select__bids_missing__only_from_the_reveal_deadline(create_round: CreateRound) -> None:
    round_ = create_round().committed()
    round_.revealed(but=[round_.stations[0]]).wait_for("reveal", -1)
    round_.select().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.reveal)
    assert round_.state.phase == Phase.REVEAL
    round_.wait_for("reveal")
    assert round_.state.phase == Phase.SELECT
    round_.select().send()


@pytest.mark.parametrize("side", ["owners", "stations"])
def test_select__last_bid_revealed__reveal_ends_early(create_round: CreateRound, side: str) -> None:
    round_ = create_round().committed()
    last = getattr(round_, side)[2]
    round_.revealed(but=[last])
    round_.select().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.reveal)
    round_.reveal_bid(last).send()
    assert round_.market.chain.now < round_.terms.deadlines.reveal
    assert round_.state.phase == Phase.SELECT
    round_.select().send()


def test_select__before_commits_close__reverts(create_round: CreateRound) -> None:
    round_ = create_round().committed().wait_for("commit", -1)
    round_.select().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.commit)


def test_select__to_the_second__open_then_closed(create_round: CreateRound) -> None:
    round_ = create_round().revealed().wait_for("select", -1)
    with round_.market.chain.snapshot():
        round_.select().send()
        assert round_.state.status == Status.TRAINING
    round_.wait_for("select")
    round_.select().reverts_with("DeadlinePassed", roundId=round_.id, deadline=round_.terms.deadlines.select)


@pytest.mark.parametrize("status", [Status.TRAINING, Status.NOTHING_TRAINED, Status.CANCELLED])
def test_select__twice__reverts(create_round: CreateRound, status: Status) -> None:
    round_ = create_round(owner_bids=((0, 0),) * 3) if status is Status.NOTHING_TRAINED else create_round()
    if status is Status.CANCELLED:
        round_.joined().committed(but=round_.stations)
    round_.wait_for("commit") if status is Status.CANCELLED else round_.revealed()
    round_.select().send()
    assert round_.state.status == status
    round_.select().reverts_with("WrongStatus", roundId=round_.id, actual=status, required=Status.OPEN)


def test_select__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("selectModel", 1, sender=stranger).reverts_with("UnknownRound", roundId=1)
