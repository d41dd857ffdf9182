"""Every call of the contract, in a round in which it is due, ready to be sent."""

from analysis.devnode.market import Call
from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.terms import DRAW_DELAY, GWEI

OWNER_LOCK = 400 * GWEI  # in a round of default terms

# A round, a member of it, and the call that it makes.
Scene = tuple[LiveRound, Seat, Call]


def owner(round_: LiveRound) -> Seat:
    """Bob, who wins the default round."""
    return round_.owners[1]


def to_deposit(create_round: CreateRound) -> Scene:
    round_ = create_round()
    return round_, owner(round_), round_.market.call("deposit", sender=owner(round_).account, value=5)


def to_create(create_round: CreateRound) -> Scene:
    round_ = create_round()
    arguments = (round_.terms.encode(), round_.tree.root)
    return round_, owner(round_), round_.market.call("createRound", *arguments, sender=owner(round_).account)


def to_join(create_round: CreateRound) -> Scene:
    round_ = create_round()
    return round_, owner(round_), round_.join(owner(round_), value=OWNER_LOCK - GWEI)


def to_join_and_commit(create_round: CreateRound) -> Scene:
    round_ = create_round().wait_for("join")
    return round_, owner(round_), round_.join_and_commit(owner(round_), value=OWNER_LOCK + 3)


def to_propose(create_round: CreateRound) -> Scene:
    round_ = create_round()
    round_.join(owner(round_)).send()
    return round_, owner(round_), round_.propose(owner(round_))


def to_commit(create_round: CreateRound) -> Scene:
    round_ = create_round().joined().wait_for("join")
    return round_, owner(round_), round_.commit_bid(owner(round_))


def to_draw(create_round: CreateRound) -> Scene:
    round_ = create_round().committed().wait_for("commit", DRAW_DELAY)
    return round_, owner(round_), round_.draw(owner(round_))


def to_cancel_by_the_draw(create_round: CreateRound) -> Scene:
    round_ = create_round().joined()
    round_.committed(but=round_.stations).wait_for("commit", DRAW_DELAY)
    return round_, owner(round_), round_.draw(owner(round_))


def to_reveal(create_round: CreateRound) -> Scene:
    round_ = create_round().drawn()
    return round_, owner(round_), round_.reveal_bid(owner(round_))


def to_select(create_round: CreateRound) -> Scene:
    round_ = create_round().revealed()
    return round_, owner(round_), round_.select(owner(round_))


def to_cancel_by_the_selection(create_round: CreateRound) -> Scene:
    round_ = create_round().drawn()
    round_.revealed(but=round_.stations).wait_for("reveal")
    return round_, owner(round_), round_.select(owner(round_))


def to_record_a_global_round(create_round: CreateRound) -> Scene:
    round_ = create_round().selected()
    return round_, owner(round_), round_.record_global_round()


def to_record_an_update(create_round: CreateRound) -> Scene:
    round_ = create_round().selected()
    return round_, round_.stations[0], round_.record_update(round_.stations[0])


def to_list_contributions(create_round: CreateRound) -> Scene:
    round_ = create_round(contribution_stake=GWEI).trained()
    return round_, owner(round_), round_.report_contributions(round_.equal_contributions())


def to_report(create_round: CreateRound) -> Scene:
    round_ = create_round().trained()
    return round_, owner(round_), round_.report_result()


def to_abort(create_round: CreateRound) -> Scene:
    round_ = create_round().trained().wait_for("report")
    return round_, owner(round_), round_.abort(sender=owner(round_))


def to_vote(create_round: CreateRound) -> Scene:
    round_ = create_round().reported()
    return round_, round_.owners[0], round_.vote(round_.owners[0], accuracy_bps=0)


def to_settle_oneself(create_round: CreateRound) -> Scene:
    round_ = create_round().voted()
    return round_, owner(round_), round_.settle(owner(round_), sender=owner(round_))


def to_settle_all(create_round: CreateRound) -> Scene:
    round_ = create_round().voted()
    return round_, owner(round_), round_.settle_many(round_.members, sender=owner(round_))


def to_settle_a_round_that_a_deadline_cancelled(create_round: CreateRound) -> Scene:
    round_ = create_round().revealed().wait_for("select")
    return round_, owner(round_), round_.settle_many(round_.members, sender=owner(round_))


def to_claim_the_lot(create_round: CreateRound) -> Scene:
    round_ = create_round().voted()
    round_.settled()
    return round_, round_.claimant, round_.claim_lot()


def to_withdraw_the_rest(create_round: CreateRound) -> Scene:
    round_ = create_round()
    bob = owner(round_)
    return round_, bob, round_.market.call("withdraw", GWEI, bob.account, sender=bob.account)


SCENES = (
    to_deposit,
    to_create,
    to_join,
    to_join_and_commit,
    to_propose,
    to_commit,
    to_draw,
    to_cancel_by_the_draw,
    to_reveal,
    to_select,
    to_cancel_by_the_selection,
    to_record_a_global_round,
    to_record_an_update,
    to_list_contributions,
    to_report,
    to_abort,
    to_vote,
    to_settle_oneself,
    to_settle_all,
    to_settle_a_round_that_a_deadline_cancelled,
    to_claim_the_lot,
    to_withdraw_the_rest,
)
