"""A round on chain beside the reference in `analysis`, to the wei."""

from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Seat
from analysis.round_facts import Dues, RoundResult
from analysis.settlement import settle_round
from fl.market.terms import Role, Stage, Status
from tests.support.replay import replay

STATUS_NAMES = {
    Status.CANCELLED: "cancelled",
    Status.NOTHING_TRAINED: "nothing trained",
    Status.REPORTED: "settled",
    Status.ABORTED: "aborted",
}


def assert_settles_like_reference(round_: LiveRound) -> RoundResult:
    """Settle all, of whom nobody is yet, and claim the lot: every amount is the reference's, also what is kept."""
    market = round_.market
    settling = [seat for seat in round_.members if round_.stage(seat) is not Stage.NONE]
    before = _free(market, settling)
    receipts = round_.settled()
    known = replay(market, round_.id)
    result = settle_round(known.facts)
    dues = dict(zip(known.owners + known.stations, result.owners + result.stations, strict=True))

    status = Status(round_.state.status)
    assert STATUS_NAMES[status] == result.status, f"{status!r}, the reference says {result.status}"
    if result.selected is not None:
        assert round_.state.selected == result.selected
    after = _free(market, settling)
    for seat in settling:
        expected = dues[seat.account]
        settled = receipts[seat].event("MemberSettled")
        assert settled == {"roundId": round_.id, "member": seat.account} | amounts(seat, expected), seat.name
        gained = after[seat] - before[seat]
        assert gained == round_.lock(seat) - expected.payment, f"{seat.name} was released {gained}"

    assert round_.lot == result.lot, f"a lot of {round_.lot} wei, the reference says {result.lot}"
    if round_.state.claimant:
        assert round_.claim_lot().send().event("LotClaimed")["amount"] == result.lot
    kept = round_.state.escrow
    assert kept == result.kept, f"{kept} wei are kept, the reference keeps {result.kept}"
    return result


def amounts(seat: Seat, dues: Dues) -> dict[str, int]:
    """A reference's dues as `MemberSettled` tells them."""
    return {
        "share": dues.share if seat.role is Role.OWNER else 0,
        "tax": dues.tax,
        "slashed": dues.slashed,
        "reward": dues.reward,
        "forfeited": dues.forfeited if seat.role is Role.BASE_STATION else 0,
        "bonus": dues.bonus,
    }


def _free(market: Market, seats: list[Seat]) -> dict[Seat, int]:
    balances = market.views([("freeBalance", (seat.account,)) for seat in seats])
    return dict(zip(seats, balances, strict=True))
