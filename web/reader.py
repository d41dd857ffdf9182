"""The one reader of the node: what the chain says about every round of a deployment, again and again.

It goes on where it was, steps back where the chain has been reorganised, and keeps what it knows while the node is
away.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from analysis.report.source import Source, of_record
from fl.market.client import Block, Market, RoundState
from fl.market.events import Event, in_order
from fl.market.refusals import MarketError
from fl.market.terms import Phase
from fl.record.history import RoundRecord, rebuild

MOST_MARKS = 256
"""Blocks that are remembered: a reorganisation deeper than they reach has everything read anew."""

log = logging.getLogger("hcfl.explorer")


@dataclass(frozen=True)
class RoundSeen:
    """A round as the chain has it.

    Attributes:
        record: of its logs.
        state: what the contract answers, now.
        events: its logs.
        source: for its report, once it is over.
    """

    record: RoundRecord
    state: RoundState
    events: tuple[Event, ...]
    source: Source | None = None

    @property
    def report(self) -> str:
        """What its report is made of: as long as this stays, the report does; empty before it is over."""
        return "" if self.source is None else f"{len(self.events)}-{self.events[-1].transaction}-{self.state.status}"


@dataclass(frozen=True)
class Snapshot:
    """What is known at a moment.

    Attributes:
        head: the newest block that was read; None before the first.
        rounds: by number.
        trouble: why the node does not answer; empty where it does.
        since: Unix time from when on it has not.
        ahead: seconds that the chain's clock is ahead of ours, as a development node's may be.
    """

    chain_id: int = 0
    contract: str = ""
    head: Block | None = None
    rounds: Mapping[int, RoundSeen] = field(default_factory=dict)
    trouble: str = ""
    since: int = 0
    ahead: int = 0


class Reader:
    """Reads one deployment; not to be used by two threads at once.

    Args:
        market: the deployment.
        clock: Unix time.
    """

    def __init__(self, market: Market, clock: Callable[[], float] = time.time):
        self._market = market
        self._clock = clock
        self._events: list[Event] = []
        self._marks: list[Block] = []
        self._snapshot = Snapshot()

    def poll(self) -> Snapshot:
        """Read what is new. A node that does not answer, or that changes its mind while it is read, is trouble."""
        try:
            self._snapshot = self._read()
        except Exception as error:
            # Whatever a node answers with, the page goes on with what it knows.
            if not isinstance(error, MarketError):
                log.exception("the node's answer could not be read")
            known = self._snapshot
            self._snapshot = replace(known, trouble=str(error), since=known.since or int(self._clock()))
        return self._snapshot

    def _read(self) -> Snapshot:
        head = self._market.block("latest")
        while self._marks and not self._holds(self._marks[-1], head):
            self._marks.pop()
        begin = self._marks[-1].number + 1 if self._marks else 0
        self._events = [event for event in self._events if event.block < begin]
        if begin <= head.number:
            new = self._market.events(None, begin or None, head.number, self._events)
            if self._market.block(head.number) != head:
                raise MarketError("the chain was reorganised while it was read")
            self._events = in_order([*self._events, *new])
            self._marks = [*self._marks, head][-MOST_MARKS:]
        known = self._snapshot
        ahead = known.ahead if head == known.head else max(0, head.time - int(self._clock()))
        return Snapshot(self._market.chain_id, self._market.address, head, self._rounds(head), ahead=ahead)

    def _holds(self, mark: Block, head: Block) -> bool:
        """Whether a block that was read is still one of the chain."""
        if mark.number >= head.number:
            return mark == head
        return self._market.block(mark.number) == mark

    def _rounds(self, head: Block) -> dict[int, RoundSeen]:
        # At the block up to which logs were read: what the contract answers must be about the same moment.
        at = self._market.at_block(head.number)
        by_round: dict[int, list[Event]] = {}
        for event in self._events:
            if "roundId" in event.values:
                by_round.setdefault(event.values["roundId"], []).append(event)
        return {round_id: self._round(round_id, tuple(events), at) for round_id, events in sorted(by_round.items())}

    def _round(self, round_id: int, events: tuple[Event, ...], at: Market) -> RoundSeen:
        known = self._snapshot.rounds.get(round_id)
        if known is not None and known.events == events:
            if known.state.phase is Phase.SETTLE:
                return known
            seen = replace(known, state=at.round_state(round_id))
        else:
            seen = RoundSeen(rebuild(events), at.round_state(round_id), events)
        if seen.state.phase is not Phase.SETTLE:
            return seen
        record = replace(seen.record, status=seen.state.status)
        transactions = self._market.transactions(list(events))
        source = of_record(self._market.chain_id, self._market.address, record, transactions)
        return replace(seen, record=record, source=source)
