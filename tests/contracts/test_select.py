"""`selectModel`: the largest positive score of a live model, ties, when it opens and closes."""

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import GLOBAL_ROUNDS, CreateRound
from fl.market.terms import DRAW_DELAY, GWEI, Phase, Status


def test_select__everybody_revealed__model_of_the_largest_score(create_round: CreateRound) -> None:
    round_ = create_round().revealed()
    receipt = round_.select().send()
    assert receipt.names == ["ModelSelected"]
    assert receipt.event("ModelSelected") == {
        "roundId": round_.id,
        "winner": round_.owners[1].account,
        "model": 1,
        "score": (2 * 90 - 3 * 16) * GWEI,
    }
    state = round_.state
    assert (state.status, state.phase, state.selected) == (Status.TRAINING, Phase.TRAIN, 1)
    assert state.globalRounds == GLOBAL_ROUNDS


def test_select__by_a_stranger__anyone_may(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().revealed()
    round_.call("selectModel", sender=stranger).send()
    assert round_.state.status == Status.TRAINING


@pytest.mark.parametrize("best", range(9))
def test_select__nine_models__each_can_win(create_round: CreateRound, best: int) -> None:
    """Two words of lanes and a bit: the best is found wherever it stands."""
    values = tuple(20 if m == best else 19 for m in range(9))
    round_ = create_round(
        owner_bids=(values,) + ((0,) * 9,) * 8, station_bids=((1,) * 9,) * 3, proposers=range(9)
    ).selected()
    assert round_.state.selected == best


@pytest.mark.parametrize(("values", "selected"), [((30, 40, 40), 1), ((40, 40, 40), 0), ((1, 2, 40), 2)])
def test_select__tie__lowest_index(create_round: CreateRound, values: tuple[int, ...], selected: int) -> None:
    round_ = create_round(
        owner_bids=(values, (0, 0, 0), (0, 0, 0)),
        station_bids=((0, 0, 0),) * 3,
        proposers=range(3),
    ).selected()
    assert round_.state.selected == selected


# Two owners value the model at 60, two stations beside the claimant bear 40 and estimate 60 for all three.
@pytest.mark.parametrize("cost", [40, 41])
def test_select__no_positive_score__nothing_trained(create_round: CreateRound, cost: int) -> None:
    """A score of 0 is not positive."""
    round_ = create_round(((30,), (30,)), ((cost - 20,), (20,), (0,)), proposers=(0,)).revealed()
    receipt = round_.select().send()
    assert receipt.names == ["NothingSelected"]
    assert receipt.event("NothingSelected") == {"roundId": round_.id}
    assert (round_.state.status, round_.state.phase) == (Status.NOTHING_TRAINED, Phase.SETTLE)


def test_select__cost_a_gwei_below__selected(create_round: CreateRound) -> None:
    round_ = create_round(((30,), (30,)), ((19,), (20,), (50,)), proposers=(0,)).revealed()
    assert round_.select().send().event("ModelSelected")["score"] == 3 * GWEI


def test_select__claimants_cost__has_no_say(create_round: CreateRound) -> None:
    """South's costs would turn the choice, but it stands aside; so would north's."""
    bids = ((50, 0), (0, 40), (0, 0))
    chosen = {}
    for number in range(3):
        round_ = create_round(((40, 41), (40, 41)), bids, claimant=number).selected()
        chosen[round_.stations[number].name] = round_.state.selected
    assert chosen == {"north": 0, "south": 1, "east": 1}


def test_select__proposer_never_committed__its_model_does_not_exist(create_round: CreateRound) -> None:
    round_ = create_round().joined()
    round_.committed(but=[round_.owners[1]]).selected()
    # Without bob model 1 would still lead, 2 · 80 − 3 · 16 against 2 · 42 − 3 · 29.
    state = round_.state
    assert (state.status, state.live) == (Status.NOTHING_TRAINED, 0b01)


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
    last = getattr(round_, side)[1]
    round_.revealed(but=[last])
    round_.select().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.reveal)
    round_.reveal_bid(last).send()
    assert round_.market.chain.now < round_.terms.deadlines.reveal
    assert round_.state.phase == Phase.SELECT
    round_.select().send()


def test_select__before_the_draw__reverts(create_round: CreateRound) -> None:
    round_ = create_round().committed().wait_for("commit", -1)
    round_.select().reverts_with("NotDrawn", roundId=round_.id)
    round_.wait_for("commit", DRAW_DELAY).select().reverts_with("NotDrawn", roundId=round_.id)


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
    round_.drawn().revealed(but=round_.stations if status is Status.CANCELLED else ()).selected()
    assert round_.state.status == status
    round_.select().reverts_with("WrongStatus", roundId=round_.id, actual=status, required=Status.OPEN)


def test_select__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("selectModel", 1, sender=stranger).reverts_with("UnknownRound", roundId=1)
