"""Assertions that many tests share."""

from collections.abc import Mapping

from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Seat
from analysis.round_facts import RoundResult, Statement
from analysis.settlement import settle_round
from fl.market.terms import Role, Stage, Status
from tests.support.replay import replay

STATUS_NAMES = {
    Status.CANCELLED: "cancelled",
    Status.NOTHING_TRAINED: "nothing trained",
    Status.REPORTED: "settled",
    Status.ABORTED: "aborted",
}
DUST_A_MEMBER = 4  # wei that a round may keep, less than this a member


def assert_conserved(market: Market, *, forced: int = 0) -> None:
    """The contract holds, to the wei, all free balances and all escrows; and the logs tell every free balance.

    Args:
        market: the contract.
        forced: wei that a test has forced upon the contract past all its calls.
    """
    told = free_balances_by_logs(market)
    rounds = range(1, market.view("roundCount") + 1)
    balances = market.views([("freeBalance", (account,)) for account in told])
    for (account, expected), free in zip(told.items(), balances, strict=True):
        assert free == expected, f"{market.name_of(account)} has {free} wei free, the logs say {expected}"
    free = sum(balances)
    escrows = sum(view.escrow for view in market.views([("roundOf", (number,)) for number in rounds]))
    held = market.held
    assert held == free + escrows + forced, f"holds {held}, owes {free} free and {escrows} in escrow"


def free_balances_by_logs(market: Market) -> dict[str, int]:
    """Every account's free balance, wei, from the contract's events and the terms of its rounds."""
    free: dict[str, int] = {}
    locks: dict[tuple[int, str], int] = {}
    for event in market.logs():
        v = event.values
        account = v.get("account") or v.get("member")
        match event.name:
            case "Deposited":
                change = v["amount"]
            case "Withdrawn":
                change = -v["amount"]
            case "Joined":
                lock = locks[v["roundId"], account] = market.view("lockOf", v["roundId"], v["role"], v["points"])
                change = v["value"] - lock
            case "MemberSettled":
                collected = v["share"] + v["tax"] + v["slashed"]
                change = locks[v["roundId"], account] + v["reward"] - collected
            case "RebatePaid":
                change = v["amount"]
            case _:
                continue
        free[account] = free.get(account, 0) + change
    return free


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
