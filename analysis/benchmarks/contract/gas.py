"""The gas of every state-changing call, from receipts of real rounds."""

from collections.abc import Sequence

from analysis.benchmarks.contract.cases import BATCH, Sheet
from analysis.benchmarks.contract.contested_rounds import stage, terms
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import LiveRound, Seat
from fl.market.terms import DRAW_DELAY, Policy


def members_a_side(models: int) -> int:
    """As few as propose that many models and leave a batch of 50 once two a side are settled; even."""
    return max(BATCH // 2 + 5, models + 4) // 2 * 2


def measure(market: Market, models: int) -> Sheet:
    """Play the rounds that show every call with that many models; the chain is left as it was."""
    sheet = Sheet()
    for play in (_equal, _cancelled, _capability):
        with market.chain.snapshot():
            play(sheet, market, models)
    return sheet


# ── equal policy ──


def _equal(sheet: Sheet, market: Market, models: int) -> None:
    """One round from its creation to its lot."""
    _created(sheet, market)
    round_ = stage(market, models, members_a_side(models))
    _joined(sheet, round_)
    _committed(sheet, round_)
    _drawn(sheet, round_)
    _revealed(sheet, round_)
    sheet.take(round_.select(), "anyone")
    _trained(sheet, round_)
    _reported_and_voted(sheet, round_)
    _settled(sheet, round_)
    _claimed(sheet, round_)


def _created(sheet: Sheet, market: Market) -> None:
    """A round's creation costs as much with any number of models."""
    creator = stage(market, 1, 4).owners[0].account  # later rounds are measured, not the very first
    sheet.take(market.call("createRound", terms(market).encode(), b"\x5a" * 32, sender=creator), "anyone")


def _joined(sheet: Sheet, round_: LiveRound) -> None:
    market, chain = round_.market, round_.market.chain
    owner, other, station = round_.owners[0], round_.owners[-2], round_.stations[0]
    lock = round_.lock(owner)
    with chain.snapshot():
        sheet.take(market.call("deposit", sender=owner.account, value=2 * lock), "new")
        sheet.take(market.call("deposit", sender=owner.account, value=lock), "returning")
        sheet.take(market.call("withdraw", lock, owner.account, sender=owner.account), "a part")
        with chain.snapshot():
            sheet.take(market.call("withdraw", 2 * lock, owner.account, sender=owner.account), "all")
        sheet.take(round_.join(owner, value=0), "owner, returning, from its balance")
    with chain.snapshot():
        sheet.take(round_.join(owner, value=lock + 1), "owner, new, surplus sent")
    sheet.take(round_.join(owner), "owner, new, exact value sent")
    sheet.take(round_.join(station), "base station, new, exact value sent")
    # Two join when they commit, one more is settled without having committed.
    later = (round_.owners[-1], round_.stations[-1])
    for seat in round_.members:
        if seat not in (owner, station, *later):
            round_.join(seat).send()
    sheet.take(round_.propose(round_.proposers[0]), "first")
    with chain.snapshot():
        sheet.take(round_.propose(round_.proposers[1] if len(round_.proposers) > 1 else other), "later")
    market.send_all([round_.propose(seat) for seat in round_.proposers[1:]])


def _committed(sheet: Sheet, round_: LiveRound) -> None:
    round_.wait_for("join")
    owner, station = round_.owners[-1], round_.stations[-1]
    sheet.take(round_.commit_bid(round_.proposers[0]), "proposer")
    sheet.take(round_.commit_bid(round_.owners[-2]), "owner")
    sheet.take(round_.commit_bid(round_.stations[0]), "base station")
    rest = [*round_.owners[1:-2], *round_.stations[1:-1]]
    round_.market.send_all([round_.commit_bid(seat) for seat in rest])
    with round_.market.chain.snapshot():
        round_.market.call("deposit", sender=owner.account, value=round_.lock(owner) + 1).send()
        sheet.take(round_.join_and_commit(owner, value=0), "returning, from its balance")
    sheet.take(round_.join_and_commit(owner), "new, exact value sent")
    round_.join_and_commit(station).send()


def _drawn(sheet: Sheet, round_: LiveRound) -> None:
    round_.wait_for("commit", DRAW_DELAY)
    with round_.market.chain.snapshot():
        sheet.take(round_.draw(), "anyone")
    round_.send_draw()


def _revealed(sheet: Sheet, round_: LiveRound, policy: str = "") -> None:
    for side, members in (("owner", round_.owners), ("base station", round_.stations)):
        sheet.take(round_.reveal_bid(members[0]), f"{side}, first{policy}")
        sheet.take(round_.reveal_bid(members[1]), f"{side}, later{policy}")
        rest = [round_.reveal_bid(seat) for seat in members[2:] if seat != round_.to_be_drawn]
        round_.market.send_all(rest)


def _trained(sheet: Sheet, round_: LiveRound) -> None:
    first, *others = round_.stations
    sheet.take(round_.record_update(first), "its first global round")
    sheet.take(round_.record_update(first, 1), "a later global round")
    sheet.take(round_.record_update(first, 2), "its last global round")
    sheet.take(round_.record_global_round(), "first")
    sheet.take(round_.record_global_round(global_round=1), "later")
    round_.market.send_all([round_.record_update(seat, g) for seat in others for g in range(round_.state.globalRounds)])
    with round_.market.chain.snapshot():
        points = round_.equal_contributions()
        sheet.take(round_.report_contributions({first: points.pop(first)}), "first base station")
        ten = {seat: points[seat] for seat in others[:10]}
        sheet.take(round_.report_contributions(ten), "a base station of 10", members=len(ten))
        sheet.take(round_.report_contributions({first: 0}), "an entry replaced")
    with round_.market.chain.snapshot():
        round_.wait_for("report")
        sheet.take(round_.abort(), "anyone")


def _reported_and_voted(sheet: Sheet, round_: LiveRound) -> None:
    sheet.take(round_.report_result(), "winner")
    first, second, *others = round_.owners[1:]
    sheet.take(round_.vote(first), "first")
    sheet.take(round_.vote(second, 0), "later")
    round_.market.send_all([round_.vote(seat) for seat in others])


def _settled(sheet: Sheet, round_: LiveRound, policy: str = "") -> None:
    """Members of even number pay a tax, those of odd number none: see `contested_bids`."""
    sides = (("owner", round_.owners), ("base station", round_.stations))
    with round_.market.chain.snapshot():
        _settle(sheet, round_.settle(round_.owners[0]), f"owner, new, first tax{policy}", taxed=True)
    for _, members in sides:
        round_.settle_many(members[:2]).send()
    for side, members in sides:
        for balance in ("new", "returning"):
            for seat, tax in ((members[3], "no tax"), (members[2], "later tax")):
                with round_.market.chain.snapshot():
                    if balance == "returning":
                        _give_balance([seat], round_)
                    who = f"{side}, {balance}, {tax}{policy}"
                    _settle(sheet, round_.settle(seat), who, taxed=tax != "no tax")
    with round_.market.chain.snapshot():
        _give_balance([round_.claimant], round_)
        sheet.take(round_.settle(round_.claimant), f"claimant, returning{policy}")
    fifty = [*round_.owners[2 : 2 + BATCH // 2], *round_.stations[2 : 2 + BATCH // 2]]
    assert len(fifty) == BATCH and round_.claimant not in fifty
    for balance in ("new", "returning"):
        with round_.market.chain.snapshot():
            if balance == "returning":
                _give_balance(fifty, round_)
            call = round_.settle_many(fifty)
            sheet.take(call, f"a member of {BATCH}, {balance}{policy}", members=len(fifty))


def _settle(sheet: Sheet, call: Call, who: str, *, taxed: bool) -> None:
    """Send a settlement; it is no figure of that case if a tax is paid against expectation, or none.

    One model by capability does not make every side pay.
    """
    receipt = call.send()
    if (receipt.event("MemberSettled")["tax"] > 0) == taxed:
        sheet.note(call, who, receipt.gas_used)


def _give_balance(seats: Sequence[Seat], round_: LiveRound) -> None:
    round_.market.send_all([round_.market.call("deposit", sender=seat.account, value=1) for seat in seats])


def _claimed(sheet: Sheet, round_: LiveRound) -> None:
    """Everybody but the claimant is settled."""
    round_.settle_many([seat for seat in round_.members if seat != round_.to_be_drawn]).send()
    with round_.market.chain.snapshot():
        sheet.take(round_.claim_lot(), "new")
    _give_balance([round_.claimant], round_)
    sheet.take(round_.claim_lot(), "returning")


def _cancelled(sheet: Sheet, market: Market, models: int) -> None:
    """Nobody of the base stations commits: the round cannot be held."""
    round_ = stage(market, models, members_a_side(models)).joined()
    round_.committed(but=[*round_.stations, round_.owners[0]]).wait_for("commit", DRAW_DELAY)
    sheet.take(round_.draw(), "cancels")
    sheet.take(round_.settle(round_.stations[0]), "base station, new, never committed")
    sheet.take(round_.settle(round_.owners[0]), "proposer, new, never committed")
    sheet.take(round_.settle(round_.owners[1]), "owner, new, cancelled")


# ── capability ──


def _capability(sheet: Sheet, market: Market, models: int) -> None:
    """Owners weigh by their points."""
    round_ = stage(market, models, members_a_side(models), owner_policy=Policy.CAPABILITY).joined()
    round_.wait_for("join")
    sheet.take(round_.commit_bid(round_.owners[-1]), "owner; capability")
    round_.committed().drawn()
    _revealed(sheet, round_, "; capability")
    with market.chain.snapshot():
        sheet.take(round_.select(), "anyone; capability")
    round_.trained().reported().voted()
    _settled(sheet, round_, "; capability")
