"""The gas of every state-changing call, from receipts of real rounds."""

from collections.abc import Sequence

from analysis.benchmarks.contract.figures import BATCH, Sheet
from analysis.benchmarks.contract.stage import stage, terms
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import LiveRound, Seat
from fl.market.terms import Policy


def members_a_side(models: int) -> int:
    """As few as propose that many models and leave a batch of 50 once two a side are settled; even."""
    return max(BATCH // 2 + 3, models + 4) // 2 * 2


def measure(market: Market, models: int) -> Sheet:
    """Play the rounds that show every call with that many models; the chain is left as it was."""
    sheet = Sheet()
    with market.chain.snapshot():
        _equal(sheet, market, models)
    with market.chain.snapshot():
        _cancelled(sheet, market, models)
    with market.chain.snapshot():
        _capability(sheet, market, models)
    with market.chain.snapshot():
        _contribution(sheet, market, models)
    return sheet


# ── equal policies ──


def _equal(sheet: Sheet, market: Market, models: int) -> None:
    """One round from its creation to its rebates."""
    _created(sheet, market)
    round_ = stage(market, models, members_a_side(models))
    _joined(sheet, round_)
    _committed(sheet, round_)
    _revealed(sheet, round_)
    sheet.take(round_.select(), "anyone")
    _trained(sheet, round_)
    _reported_and_voted(sheet, round_)
    _settled(sheet, round_)
    _recycled(sheet, round_, models)


def _created(sheet: Sheet, market: Market) -> None:
    """A round's creation costs as much with any number of models."""
    creator = stage(market, 1, 2, rooted=False).owners[0].account  # later rounds are measured, not the very first
    plain = terms(market)
    sheet.take(market.call("createRound", plain.encode(), sender=creator), "open")
    rooted = plain.__class__(**{**vars(plain), "membership_root": b"\x5a" * 32})
    sheet.take(market.call("createRound", rooted.encode(), sender=creator), "with a membership list")


def _joined(sheet: Sheet, round_: LiveRound) -> None:
    market, chain = round_.market, round_.market.chain
    owner, other, station = round_.owners[0], round_.owners[-2], round_.stations[0]
    lock = round_.lock(owner)
    with chain.snapshot():
        sheet.take(market.call("deposit", sender=owner.account, value=2 * lock), "new")
        sheet.take(market.call("deposit", sender=owner.account, value=lock), "returning")
        sheet.take(market.call("withdraw", lock, sender=owner.account), "a part")
        with chain.snapshot():
            sheet.take(market.call("withdraw", 2 * lock, sender=owner.account), "all")
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


def _revealed(sheet: Sheet, round_: LiveRound, policy: str = "") -> None:
    round_.wait_for("commit")
    for side, members in (("owner", round_.owners), ("base station", round_.stations)):
        sheet.take(round_.reveal_bid(members[0]), f"{side}, first{policy}")
        sheet.take(round_.reveal_bid(members[1]), f"{side}, later{policy}")
        round_.market.send_all([round_.reveal_bid(seat) for seat in members[2:]])


def _trained(sheet: Sheet, round_: LiveRound) -> None:
    first, *others = round_.stations
    sheet.take(round_.record_update(first), "its first epoch")
    sheet.take(round_.record_update(first, epoch=1), "a later epoch")
    sheet.take(round_.record_global_round(), "first")
    sheet.take(round_.record_global_round(epoch=1), "later")
    round_.market.send_all([round_.record_update(seat) for seat in others])
    with round_.market.chain.snapshot():
        sheet.take(round_.report_contributions({first: 0}), "one explicit zero")
    with round_.market.chain.snapshot():
        round_.wait_for("report")
        sheet.take(round_.abort(), "anyone")


def _reported_and_voted(sheet: Sheet, round_: LiveRound) -> None:
    sheet.take(round_.report_result(), "winner")
    first, second, *others = round_.owners[1:]
    sheet.take(round_.vote(first), "first")
    sheet.take(round_.vote(second, punish=True), "later")
    round_.market.send_all([round_.vote(seat) for seat in others])


def _settled(sheet: Sheet, round_: LiveRound, policy: str = "") -> None:
    """Members of even number pay a tax, those of odd number none: see `contested_bids`."""
    sides = (("owner", round_.owners), ("base station", round_.stations))
    for side, members in sides:
        _settle(sheet, round_.settle(members[0]), f"{side}, new, first tax{policy}", taxed=True)
        round_.settle(members[1]).send()
    for side, members in sides:
        for balance in ("new", "returning"):
            for seat, tax in ((members[3], "no tax"), (members[2], "later tax")):
                with round_.market.chain.snapshot():
                    if balance == "returning":
                        _give_balance([seat], round_)
                    who = f"{side}, {balance}, {tax}{policy}"
                    _settle(sheet, round_.settle(seat), who, taxed=tax != "no tax")
    fifty = [*round_.owners[2 : 2 + BATCH // 2], *round_.stations[2 : 2 + BATCH // 2]]
    for balance in ("new", "returning"):
        with round_.market.chain.snapshot():
            if balance == "returning":
                _give_balance(fifty, round_)
            call = round_.settle_many(fifty)
            sheet.take(call, f"a member of {BATCH}, {balance}{policy}", members=len(fifty))
    assert len(fifty) == BATCH


def _settle(sheet: Sheet, call: Call, who: str, *, taxed: bool) -> None:
    """Send a settlement; it is no figure of that case if a tax is paid against expectation, or none.

    One model by capability does not make every side pay.
    """
    receipt = call.send()
    if (receipt.event("MemberSettled")["tax"] > 0) == taxed:
        sheet.note(call, who, receipt.gas_used)


def _give_balance(seats: Sequence[Seat], round_: LiveRound) -> None:
    round_.market.send_all([round_.market.call("deposit", sender=seat.account, value=1) for seat in seats])


def _recycled(sheet: Sheet, round_: LiveRound, models: int) -> None:
    """Everybody is settled; rebates are claimed, or credited by the next join."""
    round_.settle_many(round_.members).send()
    owner, station = round_.owners[1], round_.stations[1]
    sheet.take(round_.claim_rebate(owner), "owner, returning")
    sheet.take(round_.claim_rebate(station), "base station, returning")
    following = stage(round_.market, models, len(round_.owners))
    for seat in (following.owners[2], following.stations[2]):
        side = seat.role.name.lower().replace("_", " ")
        sheet.take(following.join(seat, rebates=[round_.id]), f"{side}, returning, with a rebate, exact value sent")


def _cancelled(sheet: Sheet, market: Market, models: int) -> None:
    """Nobody of the base stations commits: the round cannot be held."""
    round_ = stage(market, models, members_a_side(models)).joined()
    round_.committed(but=[*round_.stations, round_.owners[0]]).wait_for("commit")
    sheet.take(round_.select(), "cancels")
    sheet.take(round_.settle(round_.stations[0]), "base station, new, never committed")
    sheet.take(round_.settle(round_.owners[0]), "proposer, new, never committed")
    sheet.take(round_.settle(round_.owners[1]), "owner, new, cancelled")


# ── other policies ──


def _capability(sheet: Sheet, market: Market, models: int) -> None:
    capability = Policy.CAPABILITY
    round_ = stage(market, models, members_a_side(models), owner_policy=capability, base_policy=capability).joined()
    round_.wait_for("join")
    sheet.take(round_.commit_bid(round_.owners[-1]), "owner; capability")
    sheet.take(round_.commit_bid(round_.stations[-1]), "base station; capability")
    round_.committed()
    _revealed(sheet, round_, "; capability")
    with market.chain.snapshot():
        sheet.take(round_.select(), "anyone; capability")
    round_.trained().reported().voted()
    _settled(sheet, round_, "; capability")


def _contribution(sheet: Sheet, market: Market, models: int) -> None:
    """Base stations are paid by the points that the winner lists."""
    round_ = stage(market, models, members_a_side(models), base_policy=Policy.CONTRIBUTION).trained()
    points = round_.equal_contributions()
    first, second, *others = round_.stations
    ten, rest = others[:10], others[10:]
    sheet.take(round_.report_contributions({first: points[first]}), "first base station; contribution")
    sheet.take(round_.report_contributions({second: points[second] + 1}), "later base station; contribution")
    sheet.take(round_.report_contributions({second: points[second]}), "an entry replaced; contribution")
    sheet.take(
        round_.report_contributions({seat: points[seat] for seat in ten}),
        "a base station of 10; contribution",
        members=len(ten),
    )
    round_.report_contributions({seat: points[seat] for seat in rest}).send()
    sheet.take(round_.report_result(), "winner; contribution")
    round_.wait_for("vote")
    _settled(sheet, round_, "; contribution")
