"""A round folded from its events says what the contract's own views and the reference say."""

import pytest

from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.client import Market as Client
from fl.market.terms import GWEI, Role, Status, claimant_ordinal
from fl.record.history import RoundRecord, rebuild


def record_of(round_: LiveRound) -> RoundRecord:
    return rebuild(Client.at(round_.market.address).events(round_.id))


def test_rebuild__settled_round__adds_up_to_what_the_contract_holds(create_round: CreateRound) -> None:
    """Carol and north are pivotal (tests/conftest.py); all taxes are the claimant's, and what is left is kept."""
    round_ = create_round(contribution_stake=30 * GWEI).trained()
    points = dict(zip(round_.stations, (500_000, 300_000, 200_000), strict=True))
    round_.reported(points).voted().settled()
    round_.claim_lot().send()
    record = record_of(round_)
    assert (record.status, record.selected) == (Status.REPORTED, 1)
    assert record.winner == round_.winner.account
    assert (record.claimant, record.theta_numerator) == (round_.stations[-1].account, 2**63)
    assert (record.upheld, record.punished) == (True, False)
    members = record.members.values()
    settled = [member.settled for member in members if member.settled is not None]
    assert len(settled) == len(round_.members)
    taxed = {member.account for member in members if member.settled and member.settled.tax}
    assert taxed == {round_.owners[2].account, round_.stations[0].account}
    assert record.members[record.claimant].lot == sum(each.tax for each in settled)
    assert record.kept == round_.state.escrow
    bonuses = [member.settled.bonus for member in record.side(Role.BASE_STATION) if member.settled]
    assert bonuses == [15 * GWEI, -3 * GWEI, -12 * GWEI]


def test_rebuild__before_the_claim__the_lot_is_not_kept(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    round_.settled()
    record = record_of(round_)
    assert record.kept + round_.lot == round_.state.escrow


@pytest.mark.parametrize(("against", "punished"), [(0, False), (1, False), (2, True)])
def test_punished__votes_of_two_electors__as_the_contract_counts(
    create_round: CreateRound, against: int, punished: bool
) -> None:
    round_ = create_round().reported()
    round_.voted(punish=round_.electors[:against])
    record = record_of(round_)
    assert record.punished is punished
    slashed = round_.settled()[round_.winner].event("MemberSettled")["slashed"]
    assert (slashed == round_.terms.bond) is punished


@pytest.mark.parametrize(("rejecting", "upheld"), [(0, True), (1, False), (2, False)])
def test_upheld__votes_of_two_electors__as_the_contract_counts(
    create_round: CreateRound, rejecting: int, upheld: bool
) -> None:
    """Half of them is not more than half."""
    round_ = create_round(contribution_stake=3 * GWEI).trained()
    round_.reported(dict(zip(round_.stations, (500_000, 300_000, 200_000), strict=True)))
    round_.voted(reject=round_.electors[:rejecting])
    assert record_of(round_).upheld is upheld
    bonus = round_.settled()[round_.stations[0]].event("MemberSettled")["bonus"]
    assert (bonus > 0) is upheld


def test_upheld__points_that_do_not_add_up__do_not_stand(create_round: CreateRound) -> None:
    round_ = create_round(contribution_stake=3 * GWEI).trained()
    round_.reported(dict(zip(round_.stations, (500_000, 300_000, 199_999), strict=True))).voted()
    assert not record_of(round_).upheld
    assert round_.settled()[round_.stations[0]].event("MemberSettled")["bonus"] == 0


def test_claimant__of_any_draw__is_who_the_randomness_names(create_round: CreateRound) -> None:
    """In the order of commits, which is not that of joins here."""
    round_ = create_round(claimant=None).joined()
    round_.wait_for("join")
    for seat in reversed(round_.members):
        round_.commit_bid(seat).send()
    round_.wait_for("commit", 60)
    drawn = set()
    for _ in range(12):
        with round_.market.chain.snapshot():
            ordinal = round_.draw().send().event("ClaimantDrawn")["ordinal"]
            block = round_.market.chain.rpc("eth_getBlockByNumber", "latest", False)
            assert claimant_ordinal(int(block["mixHash"], 16), round_.id, 3) == ordinal
            assert record_of(round_).claimant == round_.stations[3 - ordinal].account == round_.claimant.account
            drawn.add(ordinal)
        round_.market.chain.rpc("evm_mine")
    assert len(drawn) > 1, "one claimant in twelve draws: this test looks at one case only"


def test_rebuild__first_log_missing__says_so(create_round: CreateRound) -> None:
    events = create_round().joined().market.logs()
    with pytest.raises(ValueError, match="read them from the block that created the round"):
        rebuild(events[1:])
    with pytest.raises(ValueError, match="no logs"):
        rebuild([])
