"""Assertions that many tests share."""

from analysis.devnode.market import Market


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
        account = v.get("account") or v.get("member") or v.get("claimant")
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
                change = locks[v["roundId"], account] + v["reward"] + v["bonus"] - collected
            case "LotClaimed":
                change = v["amount"]
            case _:
                continue
        free[account] = free.get(account, 0) + change
    return free
