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
REWARDS, BONUSES = "rewards", "stakes won"
BACK_OWNERS, BACK_STATIONS = "back to owners", "back to base stations"
LOT, UNCLAIMED = "claimant's lot", "lot, not claimed yet"
KEPT, HELD = "kept by the contract", "locks still held"

PLACES = (
    (OWNERS, STATIONS),
    (SHARES, BONDS, STAKES, TAXES),
    (REWARDS, BONUSES),
    (BACK_OWNERS, BACK_STATIONS, LOT, UNCLAIMED, KEPT, HELD),
)
"""The places, from left to right."""

SOURCES, SINKS = PLACES[0], PLACES[-1]


def flows_of(source: Source, members: Iterable[Reasons]) -> tuple[Flow, ...]:
    """Every wei that was locked, on its way; what comes into a place between leaves it again.

    Members that are not settled yet have their whole lock still held.
    """
    amounts: dict[tuple[str, str], int] = {}

    def move(start: str, end: str, wei: int) -> None:
        amounts[start, end] = amounts.get((start, end), 0) + wei

    collected = dict.fromkeys((SHARES, BONDS, STAKES), 0)
    rewards = bonuses = 0
    for member in members:
        entry = member.entry
        lock, back = (OWNERS, BACK_OWNERS) if member.is_owner else (STATIONS, BACK_STATIONS)
        if entry.account in source.unsettled:
            move(lock, HELD, member.lock)
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
    # Rewards come out of the shares, in an abort out of the winner's bond as well; bonuses out of the stakes.
    of_shares = min(rewards, collected[SHARES])
    move(SHARES, REWARDS, of_shares)
    move(SHARES, KEPT, collected[SHARES] - of_shares)
    move(BONDS, REWARDS, rewards - of_shares)
    move(BONDS, KEPT, collected[BONDS] - (rewards - of_shares))
    move(STAKES, BONUSES, bonuses)
    move(STAKES, KEPT, collected[STAKES] - bonuses)
    move(TAXES, LOT, sum(member.lot for member in source.document.members))
    move(TAXES, UNCLAIMED, source.unclaimed)
    untouched = {(OWNERS, BACK_OWNERS), (STATIONS, BACK_STATIONS)}
    order = [place for places in PLACES for place in places]
    return tuple(
        Flow(start, end, wei, moved=(start, end) not in untouched and end != HELD)
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
