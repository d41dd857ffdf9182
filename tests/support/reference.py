"""A round on chain beside the reference in `analysis`."""

from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Seat
from analysis.round_facts import Dues
from analysis.round_facts import Status as Outcome
from analysis.settlement import settle_round
from fl.market.terms import Role, Stage, Status
from tests.support.replay import Replay, replay

OUTCOMES: dict[Status, Outcome] = {
    Status.REPORTED: "settled",
    Status.NOTHING_TRAINED: "nothing trained",
    Status.ABORTED: "aborted",
    Status.CANCELLED: "cancelled",
}


def assert_settles_like_reference(round_: LiveRound) -> Replay:
    """Settle all who are not yet, and pay the lot: each amount is the reference's, and what it keeps is left.

    Returns:
        The round as its events tell it.
    """
    market = round_.market
    before = _free(market, round_.members)
    settled = round_.settled()
    after = _free(market, round_.members)
    known = replay(market, round_.id)
    result = settle_round(known.facts)
    dues = dict(zip(known.owners + known.stations, result.owners + result.stations, strict=True))

    state = round_.state
    status = Status(state.status)
    assert OUTCOMES[status] == result.status, f"{status!r}, the reference says {result.status}"
    if result.selected is not None:
        assert state.selected == result.selected
    assert state.thetaNumerator == known.facts.theta_numerator

    told = {event["member"]: event for event in known.events["MemberSettled"]}
    assert len(known.events["MemberSettled"]) == len(told), "each once"
    assert told.keys() == dues.keys(), "all that joined are settled"
    for seat in (seat for seat in round_.members if seat.account in dues):
        expected = dues[seat.account]
        assert told[seat.account] == {"roundId": round_.id, "member": seat.account} | amounts(seat.role, expected), (
            seat.name
        )
        gained = after[seat] - before[seat]
        assert gained == (round_.lock(seat) - expected.payment if seat in settled else 0), f"{seat.name} got {gained}"
        if expected.slash is None:
            worst = round_.terms.worst_loss(seat.role, seat.points)
            assert expected.payment <= worst, f"{seat.name} lost {expected.payment} and did all its duties"
        kept = Stage.SETTLED if seat.account == known.claimant else Stage.NONE
        assert round_.stage(seat) is kept, seat.name

    claimed = sum(event["amount"] for event in known.events.get("LotClaimed", []))
    assert claimed + state.lot == result.lot, f"a lot of {claimed} and {state.lot}, the reference has {result.lot}"
    if known.claimant:
        claimant = next(seat for seat in round_.stations if seat.account == known.claimant)
        paid = round_.claim_lot(claimant).send().event("LotClaimed")
        assert paid == {"roundId": round_.id, "claimant": claimant.account, "amount": state.lot}
        assert market.free(claimant.account) - after[claimant] == state.lot
    left = round_.state
    assert (left.lot, left.escrow) == (0, result.kept), f"{left.escrow} wei left, the reference keeps {result.kept}"
    return known


def amounts(role: Role, dues: Dues) -> dict[str, int]:
    """What the reference makes of a member as `MemberSettled` tells it."""
    return {
        "share": dues.share if role is Role.OWNER else 0,
        "tax": dues.tax,
        "slashed": dues.slashed,
        "reward": dues.reward,
        "forfeited": dues.forfeited,
        "bonus": dues.bonus,
    }


def _free(market: Market, seats: tuple[Seat, ...]) -> dict[Seat, int]:
    balances = market.views([("freeBalance", (seat.account,)) for seat in seats])
    return dict(zip(seats, balances, strict=True))
