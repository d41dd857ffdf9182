"""What the random walks have found: an owner that never committed is no elector, not even once it is settled."""

from analysis.devnode.rounds import CreateRound
from fl.market.terms import Phase, Stage
from tests.support.assertions import assert_settles_like_reference


def test_vote__by_an_owner_that_never_committed_and_is_settled__reverts(create_round: CreateRound) -> None:
    round_ = create_round(owner_bids=((30, 20), (30, 10), (12, 60), (0, 0)))
    absent = round_.owners[3]
    round_.joined().committed(but=[absent]).voted()
    round_.settle(absent).send()
    assert round_.stage(absent) is Stage.CLOSED
    round_.vote(absent, punish=True).reverts_with("NotAnElector", account=absent.account)
    assert round_.state.phase == Phase.SETTLE
    assert_settles_like_reference(round_)


def test_vote__again_once_settled_and_repaid__reverts(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    elector = round_.electors[0]
    round_.settle(elector).send()
    round_.vote(elector, punish=True).reverts_with("AlreadyVoted", account=elector.account)
    round_.settled()
    round_.claim_rebate(elector).send()
    round_.vote(elector, punish=True).reverts_with("AlreadyVoted", account=elector.account)
