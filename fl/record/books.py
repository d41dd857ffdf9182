"""What everybody owns in the contract, from its logs alone: free and locked, in all rounds; no unclaimed lots."""

from collections.abc import Iterable

from fl.market.events import Event
from fl.record.history import Settled


def balances_in(events: Iterable[Event], round_id: int) -> dict[str, tuple[int, int]]:
    """Wei of each member of a round: right after it joined that, and right after its last log there that moved any.

    Args:
        events: all logs of the deployment, in the order of the chain.
        round_id: the round.
    """
    balances: dict[str, int] = {}
    found: dict[str, tuple[int, int]] = {}
    for event in events:
        v = event.values
        match event.name:
            case "Deposited":
                account, change = v["account"], v["amount"]
            case "Withdrawn":
                account, change = v["account"], -v["amount"]
            case "Joined":
                account, change = v["member"], v["value"]
            case "MemberSettled":
                account, change = v["member"], -Settled.of(v).payment
            case "LotClaimed":
                account, change = v["claimant"], v["amount"]
            case _:
                continue
        balances[account] = balances.get(account, 0) + change
        if v.get("roundId") == round_id:
            first, _ = found.get(account, (balances[account], 0))
            found[account] = first, balances[account]
    return found
