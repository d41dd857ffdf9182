"""A round on chain beside the reference in `analysis`."""

from collections.abc import Mapping

from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Seat
from analysis.round_facts import RoundResult, Statement
from analysis.settlement import settle_round
from fl.market.terms import Role, Stage, Status
from tests.support.replay import replay


def assert_settles_like_reference(round_: LiveRound) -> None:
    """Settle all who are not yet and pay every rebate: each amount is the reference's, only dust is left."""
    market, bystanders = round_.market, (Stage.NONE, Stage.SETTLED, Stage.CLOSED)
    settling = [seat for seat in round_.members if round_.stage(seat) not in bystanders]
    before = _free(market, settling)
    receipts = round_.settled()
    known = replay(market, round_.id)
    result = settle_round(known.facts)
    statements = dict(zip(known.owners + known.stations, result.owners + result.base_stations, strict=True))

    status = Status(round_.state.status)
    assert STATUS_NAMES[status] == result.status, f"{status!r}, the reference says {result.status}"
    if result.selected is not None:
        assert round_.state.selected == result.selected
    after = _free(market, settling)
    for seat in settling:
        expected = statements[seat.account]
        settled = receipts[seat].event("MemberSettled")
        assert settled == {"roundId": round_.id, "member": seat.account} | amounts(seat, expected), seat.name
        gained = after[seat] - before[seat]
        assert gained == round_.lock(seat) - expected.payment, f"{seat.name} was released {gained}"

    assert_recycles_like_reference(round_, result, statements)


def assert_recycles_like_reference(round_: LiveRound, result: RoundResult, statements: Mapping[str, Statement]) -> None:
    """Every settled member claims its rebate; each is the reference's, and only dust is left."""
    claiming = [seat for seat in round_.members if round_.stage(seat) is Stage.SETTLED]
    due = {seat: statements[seat.account].rebate for seat in claiming}
    assert {seat: round_.rebate(seat) for seat in claiming} == due
    before = _free(round_.market, claiming)
    for seat in claiming:
        paid = round_.claim_rebate(seat).send().event("RebatePaid")
        assert paid == {"roundId": round_.id, "member": seat.account, "amount": due[seat]}
    after = _free(round_.market, claiming)
    assert {seat: after[seat] - before[seat] for seat in claiming} == due
    left = round_.state.escrow
    assert left == result.escrow_left, f"{left} wei left, the reference leaves {result.escrow_left}"
    bound = DUST_A_MEMBER * max(1, len(claiming)) + result.abort_remainder
    assert left < bound, f"{left} wei of dust for {len(claiming)} members"


def amounts(seat: Seat, statement: Statement) -> dict[str, int]:
    """A reference's statement as `MemberSettled` tells it."""
    return {
        "share": statement.share if seat.role is Role.OWNER else 0,
        "tax": statement.tax,
        "slashed": statement.slashed,
        "reward": statement.reward,
        "forfeited": statement.forfeited,
    }


def _free(market: Market, seats: list[Seat]) -> dict[Seat, int]:
    balances = market.views([("freeBalance", (seat.account,)) for seat in seats])
    return dict(zip(seats, balances, strict=True))
