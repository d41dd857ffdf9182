"""`propose`: models, their order, and the digests that seal what they claim."""

import pytest
from eth_utils import keccak

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound, Opening
from fl.market.terms import Role


def joined(create_round: CreateRound, **terms: object) -> LiveRound:
    """A round whose owners have joined and proposed nothing yet."""
    round_ = create_round(**terms)
    round_.market.send_all([round_.join(seat) for seat in round_.members])
    return round_


def test_propose__owner__model_stored_as_announced(create_round: CreateRound) -> None:
    round_ = joined(create_round)
    alice = round_.owners[0]
    receipt = round_.propose(alice, training_rounds=5).send()
    owners_digest, stations_digest, _ = round_.proposal(alice)
    event = receipt.event("ModelProposed")
    assert (event["roundId"], event["proposer"], event["model"]) == (round_.id, alice.account, 0)
    assert vars(event["proposal"]) == {
        "ownersDigest": owners_digest,
        "stationsDigest": stations_digest,
        "trainingRounds": 5,
    }
    model = round_.market.view("modelOf", round_.id, 0)
    assert (model.proposer, model.trainingRounds) == (alice.account, 5)
    assert (model.ownersDigest, model.stationsDigest) == (owners_digest, stations_digest)
    member = round_.member(alice)
    assert (member.proposer, member.model) == (True, 0)
    assert (round_.state.modelCount, round_.state.live) == (1, 0)


def test_propose__several__numbered_in_order(create_round: CreateRound) -> None:
    round_ = joined(create_round)
    alice, bob, carol = round_.owners
    assert [round_.propose(seat).returns() for seat in (carol, alice)] == [0, 0]
    assert [round_.propose(seat).send().event("ModelProposed")["model"] for seat in (carol, alice, bob)] == [
        0,
        1,
        2,
    ]
    assert [round_.member(seat).model for seat in (alice, bob, carol)] == [1, 2, 0]


def test_propose__last_second__open_then_closed(create_round: CreateRound) -> None:
    round_ = joined(create_round).wait_for("join", -1)
    round_.propose(round_.owners[0]).send()
    round_.wait_for("join")
    round_.propose(round_.owners[1]).reverts_with(
        "DeadlinePassed", roundId=round_.id, deadline=round_.terms.deadlines.join
    )


def test_propose__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("propose", 1, (bytes(32), bytes(32), 1), sender=stranger).reverts_with("UnknownRound", roundId=1)


def test_propose__not_a_member__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round()
    round_.call("propose", (bytes(32), bytes(32), 1), sender=stranger).reverts_with(
        "NotAMember", roundId=round_.id, account=stranger
    )


def test_propose__base_station__reverts(create_round: CreateRound) -> None:
    round_ = joined(create_round)
    north = round_.stations[0]
    round_.propose(north).reverts_with(
        "WrongRole", account=north.account, actual=Role.BASE_STATION, required=Role.OWNER
    )


def test_propose__twice__reverts_and_names_the_first(create_round: CreateRound) -> None:
    round_ = joined(create_round)
    alice, bob, _ = round_.owners
    round_.propose(alice).send()
    round_.propose(bob).send()
    round_.propose(bob).reverts_with("AlreadyProposed", owner=bob.account, model=1)


@pytest.mark.parametrize("limit", [1, 2])
def test_propose__more_than_the_round_takes__reverts(create_round: CreateRound, limit: int) -> None:
    round_ = joined(create_round, max_models=limit)
    round_.market.send_all([round_.propose(seat) for seat in round_.owners[:limit]])
    round_.propose(round_.owners[limit]).reverts_with("TooManyModels", maxModels=limit)


@pytest.mark.parametrize("training_rounds", [0, 257, 2**16 - 1])
def test_propose__training_rounds_out_of_range__reverts(create_round: CreateRound, training_rounds: int) -> None:
    round_ = joined(create_round)
    round_.propose(round_.owners[0], training_rounds).reverts_with(
        "InvalidTrainingRounds", trainingRounds=training_rounds
    )


@pytest.mark.parametrize("training_rounds", [1, 256])
def test_propose__training_rounds_at_the_edge__accepted(create_round: CreateRound, training_rounds: int) -> None:
    round_ = joined(create_round)
    round_.propose(round_.owners[0], training_rounds).send()
    assert round_.market.view("modelOf", round_.id, 0).trainingRounds == training_rounds


def test_owners_digest__of_an_opening__binds_chain_contract_round_and_proposer(
    create_round: CreateRound,
) -> None:
    round_ = create_round()
    market, alice, bob = round_.market, round_.owners[0].account, round_.owners[1].account
    opening = Opening(claimed_accuracy_bps=8_765, targets_digest=keccak(text="0, 1"), salt=keccak(text="s"))
    digest = market.view("ownersDigestOf", round_.id, alice, opening.encoded)
    assert digest == opening.digest(market, round_.id, alice)
    assert digest != market.view("ownersDigestOf", round_.id + 1, alice, opening.encoded)
    assert digest != market.view("ownersDigestOf", round_.id, bob, opening.encoded)
    for other in (
        Opening(8_766, opening.targets_digest, opening.salt),
        Opening(8_765, keccak(text="0, 2"), opening.salt),
        Opening(8_765, opening.targets_digest, keccak(text="t")),
    ):
        assert digest != market.view("ownersDigestOf", round_.id, alice, other.encoded)
