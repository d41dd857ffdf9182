"""Where every wei went: from the members' locks to shares, rewards, taxes, the lot, what is kept, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.report.reasons import Reasons
from analysis.report.source import Source


@dataclass(frozen=True)
class Flow:
    """A part of the money, wei.

    Attributes:
        start, end: names of places.
        moved: whether it left its owner; a lock that goes back untouched has not.
    """

    start: str
    end: str
    wei: int
    moved: bool = True


OWNERS, STATIONS = "owners' locks", "base stations' locks"
SHARES, BONDS, STAKES, TAXES = "owners' shares", "slashed bonds", "contribution stakes lost", "Clarke taxes"
AHEAD = "paid ahead of who is not settled yet"
REWARDS, BONUSES = "rewards", "stakes won"
BACK_OWNERS, BACK_STATIONS = "back to owners", "back to base stations"
LOT, UNCLAIMED = "claimant's lot", "lot, not claimed yet"
KEPT, HELD = "kept by the contract", "held until all are settled"

PLACES = (
    (OWNERS, STATIONS),
    (SHARES, AHEAD, BONDS, STAKES, TAXES),
    (REWARDS, BONUSES),
    (BACK_OWNERS, BACK_STATIONS, LOT, UNCLAIMED, KEPT, HELD),
)
"""The places, from left to right."""

SOURCES, SINKS = PLACES[0], PLACES[-1]


def flows_of(source: Source, members: Iterable[Reasons]) -> tuple[Flow, ...]:
    """Every wei that was locked, on its way; what comes into a place between leaves it again.

    While some members are not settled their locks are held. Rewards and stakes that others have got by then, and that
    are not collected yet, came out of those; what is collected and not given to anybody yet is held as well.
    """
    amounts: dict[tuple[str, str], int] = {}

    def move(start: str, end: str, wei: int) -> None:
        amounts[start, end] = amounts.get((start, end), 0) + wei

    collected = dict.fromkeys((SHARES, BONDS, STAKES), 0)
    held = dict.fromkeys(SOURCES, 0)
    rewards = bonuses = 0
    for member in members:
        entry = member.entry
        lock, back = (OWNERS, BACK_OWNERS) if member.is_owner else (STATIONS, BACK_STATIONS)
        if entry.account in source.unsettled:
            held[lock] += member.lock
            continue
        share, stake = max(0, entry.share), max(0, -entry.bonus)
        for place, wei in ((SHARES, share), (BONDS, entry.slashed), (STAKES, stake)):
            collected[place] += wei
            move(lock, place, wei)
        # The lock pays first, the reward for the rest of a tax.
        of_lock = min(entry.tax, member.lock - share - entry.slashed - stake)
        move(lock, TAXES, of_lock)
        move(REWARDS, TAXES, entry.tax - of_lock)
        move(REWARDS, back, entry.reward - (entry.tax - of_lock))
        move(BONUSES, back, max(0, entry.bonus))
        move(lock, back, member.lock - share - entry.slashed - stake - of_lock)
        rewards, bonuses = rewards + entry.reward, bonuses + max(0, entry.bonus)
    # Rewards come out of the shares, bonuses out of the stakes.
    of_shares, of_stakes = min(rewards, collected[SHARES]), min(bonuses, collected[STAKES])
    left = HELD if source.unsettled else KEPT
    for place, end, wei in ((SHARES, REWARDS, of_shares), (STAKES, BONUSES, of_stakes)):
        move(place, end, wei)
        move(place, left, collected[place] - wei)
    move(BONDS, KEPT, collected[BONDS])
    for lock, end, wei in ((OWNERS, REWARDS, rewards - of_shares), (STATIONS, BONUSES, bonuses - of_stakes)):
        move(lock, AHEAD, wei)
        move(AHEAD, end, wei)
        move(lock, HELD, held[lock] - wei)
    move(TAXES, LOT, sum(member.lot for member in source.document.members))
    move(TAXES, UNCLAIMED, source.unclaimed)
    untouched = {(OWNERS, BACK_OWNERS), (STATIONS, BACK_STATIONS), (OWNERS, HELD), (STATIONS, HELD)}
    order = [place for places in PLACES for place in places]
    return tuple(
        Flow(start, end, wei, moved=(start, end) not in untouched)
        for (start, end), wei in sorted(amounts.items(), key=lambda each: [order.index(place) for place in each[0]])
        if wei
    )


def through(flows: Iterable[Flow], place: str) -> int:
    """Wei that come through a place."""
    side = [flow.wei for flow in flows if (flow.start if place in SOURCES else flow.end) == place]
    return sum(side)


def out_of_balance(flows: Iterable[Flow]) -> list[str]:
    """Places that get more or less than they give; empty if every wei is accounted for."""
    flows = list(flows)
    found = []
    for places in PLACES[1:-1]:
        for place in places:
            came = sum(flow.wei for flow in flows if flow.end == place)
            went = sum(flow.wei for flow in flows if flow.start == place)
            if came != went:
                found.append(f"{place}: {came} wei came, {went} went")
    negative = [f"{flow.start} → {flow.end} is {flow.wei} wei" for flow in flows if flow.wei < 0]
    return found + negative
