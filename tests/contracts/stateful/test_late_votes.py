"""What the random walks have found: who never committed is no elector, and nobody is once it is settled."""

from analysis.devnode.rounds import CreateRound
from fl.market.terms import Phase, Stage
from tests.support.reference import assert_settles_like_reference


def test_vote__by_an_owner_that_never_committed_and_is_settled__reverts(create_round: CreateRound) -> None:
    round_ = create_round(owner_bids=((30, 20), (30, 10), (12, 60), (0, 0)))
    absent = round_.owners[3]
    round_.joined().committed(but=[absent]).reported()
    vote = round_.vote(absent, accuracy_bps=0)
    vote.reverts_with("NotAnElector", account=absent.account)
    round_.settle(absent).send()
    assert round_.stage(absent) is Stage.NONE
    vote.reverts_with("NotAMember", roundId=round_.id, account=absent.account)
    round_.voted()
    vote.reverts_with("NotAMember", roundId=round_.id, account=absent.account)
    assert round_.state.phase == Phase.SETTLE
    assert_settles_like_reference(round_)


def test_vote__again_once_settled__reverts(create_round: CreateRound) -> None:
    """Before the vote deadline: all have voted, so the settlement is open, and a settled elector is forgotten."""
    round_ = create_round().voted()
    elector = round_.electors[0]
    vote = round_.vote(elector, accuracy_bps=0)
    vote.reverts_with("AlreadyVoted", account=elector.account)
    round_.settle(elector).send()
    vote.reverts_with("NotAMember", roundId=round_.id, account=elector.account)
    round_.settled()
    round_.claim_lot().send()
    vote.reverts_with("NotAMember", roundId=round_.id, account=elector.account)
    assert round_.state.votesCast == 2
